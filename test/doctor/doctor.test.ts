// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Finding } from '../../src/main/doctor/check.js';
import { imageOf, invoke, makeMachine, registryTest, SMALL } from '../commands/setting.js';
import { crfs, type Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

/** A machine whose podman is a script that prints what `podman info` would. */
function withPodman(t: ExecutionContext, { driver = 'overlay', script = '' } = {}): Machine {
  const machine = makeMachine(t);
  const info = {
    version: { Version: '5.4.0' },
    host: { security: { rootless: false } },
    store: { graphDriverName: driver, graphRoot: '/g', runRoot: '/r', graphOptions: {} },
  };
  const path = join(machine.directory('fake'), 'podman');
  writeFileSync(path, `#!/bin/sh\n${script || `echo '${JSON.stringify(info)}'`}\n`);
  chmodSync(path, 0o755);
  machine.env['PATH'] = `${join(machine.root, 'fake')}:${process.env['PATH']}`;
  machine.env['CONTAINERS_STORAGE_CONF'] = join(machine.root, 'storage.conf');
  return machine;
}

async function examine(machine: Machine, ...args: string[]): Promise<{ found: Finding[]; code: number | null }> {
  const { code, stdout } = await invoke(machine, ['doctor', '--json', ...args]);
  return { found: JSON.parse(stdout) as Finding[], code };
}

const of = (found: readonly Finding[], name: string): Finding[] => found.filter((one) => one.name === name);

test('a machine without podman is told as it is, a line each', async (t) => {
  const machine = withPodman(t, { script: 'exit 1' });
  machine.env['PATH'] = process.env['PATH']
    ?.split(':')
    .filter((path) => !/^\/(usr\/)?bin$/.test(path))
    .join(':');
  const bin = machine.directory('bin');
  for (const name of ['node', 'readlink', 'sh', 'stat'])
    await run('sh', ['-c', `ln -s "$(command -v ${name})" ${bin}/`]);
  machine.env['PATH'] = bin;
  const { stdout, stderr, code } = await invoke(machine, ['doctor']);
  t.is(stderr, '');
  t.regex(stdout, /^-- {3}podman {10}podman is not installed\n {21}install podman/m);
  t.regex(stdout, /^-- {3}fuse-overlayfs {2}fuse-overlayfs is not installed/m);
  t.regex(stdout, /^ok {3}cache {11}0 B of /m);
  t.regex(stdout, /^ok {3}daemon {10}none runs: a mount starts one$/m);
  t.is(code, /^bad/m.test(stdout) ? 1 : 0);
});

test('the way from podman to the store is looked at link by link', async (t) => {
  const machine = withPodman(t);
  const before = await examine(machine);
  t.like(of(before.found, 'podman')[0], { state: 'ok', says: '5.4.0, keeps layers by overlay' });
  t.like(of(before.found, 'storage.conf')[0], { state: 'note', advice: 'crfs setup podman' });
  t.deepEqual(of(before.found, 'store'), []);
  const list = '[storage]\ndriver = "overlay"\n[storage.options]\nadditionallayerstores = ["/nowhere:ref"]\n';
  writeFileSync(join(machine.root, 'storage.conf'), list);
  const { found, code } = await examine(machine);
  t.is(code, 1);
  t.like(of(found, 'storage.conf')[1], {
    state: 'bad',
    says: 'names /nowhere, which cannot be looked into: then podman fails',
  });
});

test('a storage.conf that makes no sense is told, and all else is looked at', async (t) => {
  const machine = withPodman(t);
  writeFileSync(join(machine.root, 'storage.conf'), '[storage\n');
  const { found, code } = await examine(machine);
  t.is(code, 1);
  t.like(of(found, 'storage.conf')[0], { state: 'bad', advice: 'mend it: podman reads it, too' });
  t.is(of(found, 'daemon').length, 1);
});

test('a podman that fails is told with what it says', async (t) => {
  const machine = withPodman(t, { script: 'echo "Error: no such directory /x" >&2; exit 125' });
  const { found, code } = await examine(machine);
  t.is(code, 1);
  t.like(of(found, 'podman')[0], { state: 'bad', says: 'podman info fails: Error: no such directory /x' });
});

test('podman that keeps layers in another way can use no store', async (t) => {
  const { found } = await examine(withPodman(t, { driver: 'vfs' }));
  t.regex(of(found, 'podman')[0]?.says ?? '', /^5\.4\.0 keeps layers by vfs/);
});

registryTest('an image that is named is looked for in its registry', async (t) => {
  const machine = withPodman(t);
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, SMALL);
  const { name } = await imageOf(t, [tar]);
  const { found } = await examine(machine, name);
  t.regex(of(found, 'registry')[0]?.says ?? '', /is there, of 1 layer$/);
  const missing = await examine(machine, name.replace(/:1$/, ':2'));
  t.is(missing.code, 1);
  t.like(of(missing.found, 'registry')[0], { state: 'bad' });
});

mountingTest()('a user without IDs of his own is told how to get some', async (t) => {
  const machine = withPodman(t);
  for (const name of ['home', 'cache', 'state', 'config', 'run', 'tmp']) chmodSync(machine.directory(name), 0o777);
  chmodSync(machine.root, 0o755);
  mkdirSync(join(machine.root, 'home/cache'));
  await run('chown', ['65534:65534', join(machine.root, 'home/cache')]);
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', crfs, 'doctor'];
  const env = { ...machine.env, XDG_CACHE_HOME: join(machine.root, 'home/cache') };
  const said = String(await run('sh', ['-c', '"$@" || true', 'sh', 'setpriv', ...nobody], { env }));
  t.regex(
    said,
    /^bad {2}rights {10}\/etc\/subuid and \/etc\/subgid have no IDs for nobody\n {21}as root: usermod --add-subuids /m,
  );
});
