// SPDX-License-Identifier: GPL-3.0-or-later

/** Taking mounts away that are busy, dead, held up, or in another namespace. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { argumentsOf, processes } from '../../src/main/mount/processes.js';
import { crfs, type Machine, mountingTest, stop, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { invoke, layerOf, makeMachine, SMALL } from './setting.js';

const test = mountingTest();

/** A machine with a layer mounted at `merged`. */
async function mounted(
  t: ExecutionContext,
  through: readonly string[] = [],
): Promise<{ machine: Machine; merged: string }> {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-ql', merged]).catch(() => undefined));
  if (through.length === 0) t.is((await invoke(machine, ['mount', layer, 'merged'])).code, 0);
  else {
    await run('unshare', [...through, crfs, 'mount', layer, merged], { env: machine.env });
  }
  return { machine, merged };
}

function hostOf(merged: string): number {
  const host = processes().find(({ pid, name }) => name === 'fuse-overlayfs' && argumentsOf(pid).at(-1) === merged);
  if (host === undefined) throw new Error(`nothing serves ${merged}`);
  return host.pid;
}

test('a busy mount stays, and tells who uses it; --lazy takes it away', async (t) => {
  const { machine, merged } = await mounted(t);
  const user = spawn('sleep', ['1000'], { cwd: join(merged, 'bin') });
  t.teardown(() => user.kill());
  await once(user, 'spawn');
  const { code, stderr } = await invoke(machine, ['umount', 'merged']);
  const why = `it is in use by sleep (pid ${user.pid}): end that, or run \`crfs umount --lazy\``;
  t.deepEqual([code, stderr], [1, `crfs: "${merged}" stays mounted: ${why}\n`]);
  t.is((await invoke(machine, ['umount', '--lazy', 'merged'])).stdout, `${merged}: unmounted\n`);
  t.deepEqual(readdirSync(merged), []);
});

test('a mount with another one in it stays, and tells which', async (t) => {
  const { machine, merged } = await mounted(t);
  await run('mount', ['-t', 'tmpfs', 'tmpfs', join(merged, 'usr')]);
  const { stderr } = await invoke(machine, ['umount', 'merged']);
  t.is(stderr, `crfs: "${merged}" stays mounted: "${join(merged, 'usr')}" is mounted in it: unmount that first\n`);
  await run('umount', [join(merged, 'usr')]);
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
});

test('a mount whose host was killed is told of, and taken away', async (t) => {
  const { machine, merged } = await mounted(t);
  const host = hostOf(merged);
  process.kill(host, 'SIGKILL');
  await until('the host has ended', () => !processes().some(({ pid }) => pid === host));
  const told = async (...args: string[]): Promise<string> => (await invoke(machine, args)).stderr;
  const ended = 'what served the mount there has ended: run `crfs umount`';
  t.is(await told('ls', './merged/bin'), `crfs: ${merged}/bin: cannot be opened: ${ended}\n`);
  t.is(await told('trace', 'merged'), `crfs: merged: ${ended}\n`);
  const layer = join(machine.root, 'small.tar.esgz');
  t.is(await told('mount', layer, 'merged'), `crfs: "${merged}" is mounted already: run \`crfs umount\` first\n`);
  t.is(await told('umount', 'merged'), '');
  t.deepEqual(readdirSync(merged), []);
});

test('a mount whose host is held up is taken away all the same', async (t) => {
  const { machine, merged } = await mounted(t);
  const host = hostOf(merged);
  await stop(host);
  t.teardown(() => process.kill(host, 'SIGCONT'));
  t.is((await invoke(machine, ['umount', 'merged'])).stdout, `${merged}: unmounted\n`);
  t.deepEqual(readdirSync(merged), []);
});

test('a mount in another namespace is found there, and taken away', async (t) => {
  const { machine, merged } = await mounted(t, ['-Urm']);
  const host = hostOf(merged);
  t.deepEqual(readdirSync(merged), []);
  const { code, stdout } = await invoke(machine, ['umount', 'merged']);
  t.is(code, 0);
  t.is(stdout, `${merged}: unmounted, in the mount namespace of pid ${host}\n`);
  await until('its host has ended', () => !processes().some(({ pid }) => pid === host));
  t.regex((await invoke(machine, ['umount', 'merged'])).stderr, /nothing is mounted there\n$/);
});

test('a mount in another namespace that is busy stays, and tells where it is', async (t) => {
  const { machine, merged } = await mounted(t, ['-Urm']);
  const host = hostOf(merged);
  const inside = ['-t', String(host), '-U', '-m', '--preserve-credentials', '--wd=/', 'sh', '-c'];
  const user = spawn('nsenter', [...inside, `cd '${merged}'; echo in; exec sleep 1000`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => user.kill());
  await once(user.stdout, 'data');
  const { code, stderr } = await invoke(machine, ['umount', 'merged']);
  t.is(code, 1);
  t.regex(
    stderr,
    /merged" is mounted in another namespace, that of pid \d+, and stays: .*busy; `crfs umount --lazy` ends it\n$/,
  );
  t.is((await invoke(machine, ['umount', '--lazy', 'merged'])).code, 0);
});

test('a mount in a namespace that cannot be entered can be ended by --lazy', async (t) => {
  const { machine, merged } = await mounted(t, ['-Urm']);
  const host = hostOf(merged);
  const umount = async (...args: string[]): Promise<string> =>
    String(await run('unshare', ['-Urm', crfs, 'umount', ...args, merged], { env: machine.env }));
  const refused = await t.throwsAsync(umount());
  t.regex(refused?.message ?? '', /merged" is mounted in another namespace, that of pid \d+, and stays: /);
  t.is(await umount('--lazy'), `${merged}: unmounted, in the mount namespace of pid ${host}\n`);
  await until('its host has ended', () => !processes().some(({ pid }) => pid === host));
});
