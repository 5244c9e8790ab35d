// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import test from 'ava';
import type { Status } from '../../src/main/daemon/status.js';
import { createProgram } from '../../src/main/program.js';
import { crfs, lower, Machine, mountingTest, top, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { imageOf, invoke, layerOf, makeMachine, registryTest, SMALL } from './setting.js';

const OURS = ['run', 'mount', 'umount', 'lowerdir', 'prefetch', 'inspect', 'ls', 'stat', 'cat', 'verify', 'stargzify'];

test('what makes no sense exits with 2, and help with 0', async (t) => {
  const machine = makeMachine(t);
  const code = async (...args: string[]): Promise<number | null> => (await invoke(machine, args)).code;
  t.is(await code(), 2);
  t.is(await code('frobnicate'), 2);
  t.is(await code('ls'), 2);
  t.is(await code('ls', '--no-such-option', 'x'), 2);
  t.is(await code('ls', '--platform', 'a/b/c/d', 'localhost:1/x'), 2);
  t.is(await code('ls', '--help'), 0);
  t.is(await code('--version'), 0);
});

test('what is wrong with a command line is told in one line, with where to read on', async (t) => {
  const machine = makeMachine(t);
  const told = async (...args: string[]): Promise<string> => (await invoke(machine, args)).stderr;
  t.is(await told('frobnicate'), "crfs: unknown command 'frobnicate'; see `crfs --help`\n");
  t.is(await told('ls', '--new'), "crfs: unknown option '--new'; see `crfs ls --help`\n");
  t.is(
    await told('trace', 'a', 'b\x1b'),
    "crfs: too many arguments for 'trace'. Expected 1 argument but got 2; see `crfs trace --help`\n",
  );
});

test('messages with names of others in them cannot write to a terminal', async (t) => {
  const machine = makeMachine(t);
  const { code, stderr } = await invoke(machine, ['ls', './no\x1b[2Jsuch\u202efile']);
  t.is(code, 1);
  t.is(stderr, `crfs: ${machine.root}/no\\u001b[2Jsuch\\u202efile: cannot be opened: no such file or directory\n`);
});

test('a reader that has enough ends a long listing quietly', async (t) => {
  const machine = makeMachine(t);
  const files = Array.from({ length: 20_000 }, (_, i) => ({ name: `a-rather-long-name-of-a-file-${i}` }));
  const layer = await layerOf(machine, files);
  const script = '"$0" ls "$1" 2>&1 | head -n 1';
  const out = await run('sh', ['-c', script, join(top, 'bin/crfs'), layer], { env: machine.env });
  t.is(String(out), 'a-rather-long-name-of-a-file-0\n');
});

test('output that cannot be written is told in one line', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const script = '"$0" ls "$1" 2>&1 >/dev/full || echo "exit $?"';
  const out = await run('sh', ['-c', script, join(top, 'bin/crfs'), layer], { env: machine.env });
  t.is(String(out), 'crfs: cannot write to standard output: no space left on device\nexit 1\n');
});

/** What a command says on both where so many KiB of address space are to be had. */
async function within(machine: Machine, limit: string, ...args: string[]): Promise<string> {
  const script = `ulimit ${limit}\nexec "$@" 2>&1`;
  const child = run('sh', ['-ec', script, 'sh', crfs, ...args], { env: machine.env });
  return String(await child.catch((error: Error) => error.message));
}

test('a limit on address space is lifted where it may be, and told of where it is too low', async (t) => {
  const machine = makeMachine(t);
  t.regex(await within(machine, '-S -v 1000000', 'version'), /^crfs +\d/);
  const why = '`ulimit -H -v` is 10000000: Node.js takes 10485760; have it raised';
  t.is(await within(machine, '-v 10000000', 'version'), `sh ended with 1: crfs: ${why}`);
});

registryTest('what speaks to registries does with as much address space as that tells', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.root, 'small.tar');
  writeTar(tar, SMALL);
  const { name } = await imageOf(t, [tar]);
  t.regex(await within(machine, '-v 10485760', 'ls', name), /^usr$/m);
});

test('a conversion goes on when nobody reads how far it is', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.root, 'layer.tar');
  writeTar(tar, SMALL);
  const script = 'read go; exec "$0" stargzify "$1" "$2"';
  const child = spawn('sh', ['-c', script, join(top, 'bin/crfs'), tar, `${tar}.esgz`], { env: machine.env });
  const ended = once(child, 'exit');
  const deaf = once(child.stderr, 'close');
  child.stderr.destroy();
  await deaf;
  child.stdin.end('\n');
  t.deepEqual(await ended, [0, null]);
  t.deepEqual(
    readdirSync(machine.root)
      .filter((name) => name.startsWith('layer'))
      .sort(),
    ['layer.tar', 'layer.tar.esgz'],
  );
});

test('no colours go into a pipe, and nothing is left behind', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const { stdout } = await invoke(machine, ['ls', '-l', layer], { FORCE_COLOR: '1' });
  t.false(stdout.includes('\x1b'));
  t.is(String(await run('ls', ['-A', join(machine.root, 'tmp')])), '');
});

registryTest('a layer at a URL is read as one in a file', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, SMALL);
  const { name, image } = await imageOf(t, [tar]);
  const url = `http://${name.replace('/img:1', '')}/v2/img/blobs/${image.layers[0]?.digest}`;
  t.is((await invoke(machine, ['ls', url, 'bin'])).stdout, 'alias\ntool\n');
  t.is((await invoke(machine, ['cat', url, 'etc/link/text'])).stdout, 'shared text\n');
  t.is((await invoke(machine, ['ls', url.replace('http', 'HTTP'), 'bin'])).stdout, 'alias\ntool\n');
  t.is((await invoke(machine, ['verify', url])).stdout, `${url}: ok, 4 files, 17 B\n`);
  const { code, stderr } = await invoke(machine, ['ls', `${url}0`.replace('http://', 'http://me:secret@')]);
  t.is(code, 1);
  t.false(stderr.includes('secret'), stderr);
});

test('docs/cli.md has every command, and every option of those that it describes', async (t) => {
  const text = readFileSync(join(top, 'docs/cli.md'), 'utf8');
  const { commands } = await createProgram();
  t.true(commands.length > 8);
  const paragraphAt = (start: number): string => text.slice(start, text.indexOf('\n\n', start + 1));
  const ofSeveral = paragraphAt(text.indexOf('\nCommands that ask registries '));
  for (const command of commands) {
    t.true(text.includes(`crfs ${command.name()}`), command.name());
    if (!OURS.includes(command.name())) continue;
    const start = text.indexOf(`\n\`crfs ${command.name()} `);
    t.true(start > 0, command.name());
    const said = paragraphAt(start) + (ofSeveral.includes(`\`${command.name()}\``) ? ofSeveral : '');
    for (const { long, short } of command.options) {
      t.true(said.includes(String(long ?? short)), `${command.name()} ${long ?? short}`);
    }
  }
});

mountingTest()('a command that is not built is told from one that may not be read', async (t) => {
  const machine = makeMachine(t);
  chmodSync(machine.root, 0o755);
  const place = join(machine.root, 'installed');
  for (const part of ['bin', 'dist/bundle/main']) machine.directory(`installed/${part}`);
  const copy = join(place, 'bin/crfs');
  copyFileSync(join(top, 'bin/crfs'), copy);
  const told = async (): Promise<string> => {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', copy];
    return (await t.throwsAsync(run('setpriv', nobody)))?.message.replace(/^.* ended with 1: /, '') ?? '';
  };
  t.is(await told(), `crfs: it is not built: run make in ${place}`);
  writeFileSync(join(place, 'dist/bundle/main/cli.js'), '', { mode: 0o600 });
  t.is(await told(), `crfs: ${place}/dist/bundle/main/cli.js: permission denied`);
  chmodSync(join(place, 'dist/bundle'), 0o700);
  t.is(await told(), `crfs: ${place}/dist/bundle: permission denied`);
});

/** A copy of what is built, with a command in place of Node.js and of crfs-lower. */
function pretended(machine: Machine, server: string): { readonly command: string; readonly called: string } {
  const called = join(machine.root, 'called');
  for (const part of ['bin', 'dist/bundle/main', dirname(server)]) machine.directory(join('lib/crfs-plugin', part));
  const root = join(machine.root, 'lib/crfs-plugin');
  for (const name of ['bin/node', server])
    writeFileSync(join(root, name), `#!/bin/sh\necho "${basename(name)} $*" >>${called}\n`, { mode: 0o755 });
  writeFileSync(join(root, 'dist/bundle/main/cli.js'), '');
  const command = join(root, 'bin/crfs');
  copyFileSync(crfs, command);
  return { command, called };
}

for (const server of ['crfs-lower', '../../libexec/crfs-plugin/crfs-lower']) {
  test(`what mounts has its daemon started beside it, and nothing else has: ${server}`, async (t) => {
    const machine = makeMachine(t);
    const { command, called } = pretended(machine, server);
    const calls = (): string[] => readFileSync(called, 'utf8').split('\n').sort();
    for (const args of [['mount', '--help'], ['run', '-h', 'img'], ['run'], ['mount', 'img'], ['status', 'a', 'b']])
      await run(command, args);
    await run(command, ['run', 'img']);
    await run(command, ['mount', 'img', 'merged']);
    await until('both have started one', () => calls().filter((line) => line.startsWith('crfs-lower')).length >= 2);
    t.deepEqual(
      calls().filter((line) => line.startsWith('crfs-lower')),
      Array(2).fill('crfs-lower --daemon'),
    );
    t.is(calls().filter((line) => line.startsWith('node')).length, 7);
  });
}

mountingTest()(
  'a daemon that is started beside a command stays, whatever becomes of that, as the only one',
  async (t) => {
    const machine = makeMachine(t);
    const merged = machine.directory('merged');
    await t.throwsAsync(machine.crfs('mount', join(machine.root, 'nothing.esgz'), merged));
    await until('a daemon runs', async () => (await machine.status()) !== null);
    const { pid } = (await machine.status()) ?? {};
    t.not(readlinkSync(`/proc/${pid}/ns/mnt`), readlinkSync('/proc/self/ns/mnt')); // which it would keep alive
    await run(lower, ['--daemon'], { env: machine.env });
    t.is((await machine.status())?.pid, pid);
  },
);

mountingTest()('an ordinary user has no daemon started outside of the namespace that mounts are made in', async (t) => {
  const machine = makeMachine(t);
  chmodSync(machine.root, 0o755);
  const cache = machine.directory('cache-of-nobody');
  chownSync(cache, 65534, 65534);
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', lower, '--daemon'];
  await run('setpriv', nobody, { env: { ...machine.env, XDG_CACHE_HOME: cache } });
  t.deepEqual(readdirSync(cache), []);
});

test('a machine has no daemon after looking into layers', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const layer = await layerOf(machine, SMALL);
  for (const args of [['ls'], ['stat', '/bin'], ['cat', '/bin/tool'], ['verify']]) {
    const [name = '', ...rest] = args;
    t.is((await invoke(machine, [name, layer, ...rest])).code, 0);
  }
  const status = JSON.parse(await machine.crfs('status', '--json')) as Partial<Status> | null;
  t.is(status?.pid ?? null, null); // others' mounts may be dead just now
});
