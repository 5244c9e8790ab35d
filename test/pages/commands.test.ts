// SPDX-License-Identifier: GPL-3.0-or-later

/** Commands of README.md and docs/, run as they are written there; those that run containers are tried in test/mount. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { imageOf, registryTest } from '../commands/setting.js';
import { noise } from '../tools/content.js';
import { crfs, Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { commandsWith } from '../tools/pages.js';
import { missing, startRegistry } from '../tools/registry.js';
import { makeImage, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, program)));

/** A machine on whose PATH crfs is, with a tar of some files in its root. */
function prepare(): { machine: Machine; tar: string } {
  const machine = new Machine({ PATH: `${dirname(crfs)}:${process.env['PATH']}` });
  const tar = join(machine.root, 'layer.tar');
  const names = ['first', 'second', 'third'];
  writeTar(
    tar,
    names.map((name, i) => ({ name, content: noise(20_000, i + 1) })),
  );
  return { machine, tar };
}

registryTest('an image and a single layer become eStargz', async (t) => {
  const { machine, tar } = prepare();
  t.teardown(() => machine.dispose());
  const { name } = await imageOf(t, [tar]);
  const host = name.replace(/\/.*/, '');
  await run('gzip', ['-k', tar]);
  const script = commandsWith('crfs stargzify docker.io/fedora localhost:5000/myimages/fedora:stargz')
    .replaceAll('docker.io/fedora', name)
    .replaceAll('localhost:5000', host);
  const options = { env: machine.env, cwd: machine.root };
  await run('sh', ['-ec', script], options);
  const verified = await run(
    'sh',
    ['-ec', `crfs verify ${host}/myimages/fedora:stargz && crfs verify layer.esgz`],
    options,
  );
  t.is(String(verified).match(/: ok, 3 files, /g)?.length, 2, String(verified));
});

const tracing = mountingTest(
  whyNoMounts() ?? (missing.length > 0 || !onPath('jq') ? 'docker-registry, skopeo or jq is not installed' : undefined),
);

tracing('what a program opens is traced until ^C, and makes an image that starts faster', async (t) => {
  const { machine, tar } = prepare();
  t.teardown(() => machine.dispose());
  const { name } = await imageOf(t, [tar]);
  const merged = machine.directory('merged');
  const script = commandsWith('crfs mount --driver fuse-overlayfs localhost:5000/img:tag merged')
    .replaceAll('localhost:5000/img:tag', name)
    .replaceAll('localhost:5000', name.replace(/\/.*/, ''));
  const [mount = '', trace = '', convert = ''] = script.split('\n');
  const options = { env: machine.env, cwd: machine.root };
  t.teardown(() => run('umount', ['-ql', merged]).catch(() => undefined));
  await run('sh', ['-ec', mount], options);
  const told = join(machine.root, 'told');
  const terminal = spawn('sh', ['-c', trace], {
    ...options,
    detached: true, // a group of its own, which ^C ends as a whole
    stdio: ['ignore', 'ignore', openSync(told, 'w')],
  });
  t.teardown(() => terminal.kill('SIGKILL'));
  const ended = once(terminal, 'close');
  await until('it traces', () => readFileSync(told, 'utf8').includes('tracing'));
  for (const file of ['third', 'first']) readFileSync(join(merged, file));
  const wanted = join(machine.root, 'wanted');
  await until('all is told', () => readFileSync(wanted, 'utf8') === '/third\n/first\n');
  process.kill(-(terminal.pid ?? 0), 'SIGINT');
  await ended;
  t.is(readFileSync(wanted, 'utf8'), '/third\n/first\n');
  await run('sh', ['-ec', convert], options);
  const fast = name.replace(':1', ':fast');
  const listed = JSON.parse(String(await run(crfs, ['inspect', fast, '--json'], options))) as { layers: unknown[] };
  t.is(listed.layers.length, 1);
});

const sharing = mountingTest(
  whyNoMounts() ?? (missing.length > 0 ? 'docker-registry or skopeo is not installed' : undefined),
);

sharing('what one machine has indexed, another one mounts at once', async (t) => {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const name = `${registry.host}/img:1`;
  await pushImage(await makeImage(1, 30_000), name);
  const script = commandsWith('crfs index --push localhost:5000/img:tag').replaceAll('localhost:5000/img:tag', name);
  const [index = '', ...elsewhere] = script.split('\n');
  const [one, other] = [prepare().machine, prepare().machine];
  for (const machine of [one, other]) t.teardown(() => machine.dispose());
  const merged = other.directory('merged');
  t.teardown(() => run('umount', ['-ql', merged]).catch(() => undefined));
  t.regex(String(await run('sh', ['-ec', index], { env: one.env, cwd: one.root })), /1 attached to it/);
  const said = String(await run('sh', ['-ec', elsewhere.join('\n')], { env: other.env, cwd: other.root }));
  t.regex(said, / plain gzip +\S.* an index in its registry$/m);
});
