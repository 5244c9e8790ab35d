// SPDX-License-Identifier: GPL-3.0-or-later

/** Taking mounts away that are busy, dead, held up, or in another namespace. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { DeadMount } from '../../src/main/mount/dead.js';
import { DRIVERS, type Driver, isServer } from '../../src/main/mount/driver.js';
import { HOST } from '../../src/main/mount/host.js';
import { LOWER } from '../../src/main/mount/lower.js';
import { argumentsOf, processes } from '../../src/main/mount/processes.js';
import { gone } from '../faults/world.js';
import { crfs, LET_GO, type Machine, mountingTest, toldAlone, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { stop } from '../tools/stop.js';
import { invoke, layerOf, makeMachine, mountElsewhere, SMALL } from './setting.js';

const test = mountingTest();

interface Mounted {
  readonly machine: Machine;
  readonly merged: string;
}

/** A machine with a layer, which is not mounted yet. */
async function prepare(t: ExecutionContext): Promise<Mounted & { readonly layer: string }> {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-ql', merged]).catch(() => undefined));
  return { machine, layer, merged };
}

/** A machine with a layer mounted at `merged`. */
async function mounted(t: ExecutionContext, driver: Driver): Promise<Mounted> {
  const { machine, layer, merged } = await prepare(t);
  t.is((await invoke(machine, ['mount', layer, 'merged', '--driver', driver])).code, 0);
  return { machine, merged };
}

/** The same in another namespace, of which `inside` is a process. */
async function mountedElsewhere(t: ExecutionContext, driver: Driver): Promise<Mounted & { readonly inside: number }> {
  const { machine, layer, merged } = await prepare(t);
  return { machine, merged, inside: await mountElsewhere(t, machine, layer, merged, '--driver', driver) };
}

/** Has a process work in a mount, in the namespaces of the process `inside`. Resolves to its PID. */
async function workingIn(t: ExecutionContext, inside: number, merged: string): Promise<number | undefined> {
  const within = ['-t', String(inside), '-U', '-m', '--preserve-credentials', '--wd=/', 'sh', '-c'];
  const user = spawn('nsenter', [...within, `cd '${merged}'; echo in; exec sleep 1000`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => user.kill());
  await once(user.stdout, 'data');
  return user.pid;
}

function hostOf(merged: string): number {
  const host = processes().find(({ pid, name }) => isServer(name) && argumentsOf(pid).at(-1) === merged);
  if (host === undefined) throw new Error(`nothing serves ${merged}`);
  return host.pid;
}

/** What serves a mount of the other kind, at a place of the same name. */
async function another(t: ExecutionContext, machine: Machine, driver: Driver): Promise<void> {
  const script = join(machine.root, driver === HOST ? LOWER : HOST);
  writeFileSync(script, '#!/bin/sh\necho\nread -r line\n', { mode: 0o755 });
  const server = spawn(script, ['merged'], { stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => server.kill());
  await once(server.stdout, 'data');
}

for (const driver of DRIVERS) {
  test(`a busy mount stays, and tells who uses it; --lazy takes it away, by ${driver}`, async (t) => {
    const { machine, merged } = await mounted(t, driver);
    const user = spawn('sleep', ['1000'], { cwd: join(merged, 'bin') });
    t.teardown(() => user.kill());
    await once(user, 'spawn');
    const { code, stderr } = await invoke(machine, ['umount', 'merged']);
    const why = `it is in use by sleep (pid ${user.pid}): end that, or run \`crfs umount --lazy\``;
    t.deepEqual([code, stderr], [1, `crfs: "${merged}" stays mounted: ${why}\n`]);
    t.is((await invoke(machine, ['umount', '--lazy', 'merged'])).stdout, `${merged}: unmounted\n`);
    t.deepEqual(readdirSync(merged), []);
  });

  test(`a mount with another one in it stays, and tells which, by ${driver}`, async (t) => {
    const { machine, merged } = await mounted(t, driver);
    await run('mount', ['-t', 'tmpfs', 'tmpfs', join(merged, 'usr')]);
    const { stderr } = await invoke(machine, ['umount', 'merged']);
    t.is(stderr, `crfs: "${merged}" stays mounted: "${join(merged, 'usr')}" is mounted in it: unmount that first\n`);
    await run('umount', [join(merged, 'usr')]);
    t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
  });

  test(`a mount whose host was killed is told of, and taken away, by ${driver}`, async (t) => {
    const { machine, merged } = await mounted(t, driver);
    const host = hostOf(merged);
    process.kill(host, 'SIGKILL');
    await until('the host has ended', () => !processes().some(({ pid }) => pid === host));
    const told = async (...args: string[]): Promise<string> => (await invoke(machine, args)).stderr;
    const ended = 'what served the mount there has ended: run `crfs umount`';
    t.is(await told('ls', './merged/bin'), `crfs: ${merged}/bin: cannot be opened: ${ended}\n`);
    t.is(await told('trace', 'merged'), `crfs: merged: ${ended}\n`);
    const layer = join(machine.root, 'small.tar.esgz');
    t.is(await told('mount', layer, 'merged'), `crfs: "${merged}" is mounted already: run \`crfs umount\` first\n`);
    t.throws(() => readFileSync(join(merged, 'usr/share/text')), { code: 'ENOTCONN' });
    await machine.crfs('stop'); // whatever a daemon would know of it
    await another(t, machine, driver);
    const { dead } = JSON.parse(await machine.crfs('status', '--json')) as { dead: DeadMount[] };
    t.deepEqual(
      dead.filter(({ mountpoint }) => mountpoint === merged),
      [{ mountpoint: merged, driver }],
    );
    const text = await machine.crfs('status');
    t.regex(text, /^Dead, as what served them was killed: run `crfs umount`, and mount again:\nMOUNTPOINT +DRIVER$/m);
    t.true(text.split('\n').some((line) => line.startsWith(`${merged} `) && line.endsWith(driver)));
    t.is(await told('umount', 'merged'), '');
    t.false((await machine.crfs('status')).includes(merged));
    t.deepEqual(readdirSync(merged), []);
    t.is(await told('mount', layer, 'merged', '--driver', driver), '');
    t.is(readFileSync(join(merged, 'usr/share/text'), 'utf8'), 'shared text\n');
  });

  test(`a mount that is bound to a second place is dead when its host is, and not before, by ${driver}`, async (t) => {
    const { machine, merged } = await mounted(t, driver);
    const second = machine.directory('second');
    await run('mount', ['--bind', merged, second]);
    t.teardown(() => run('umount', ['-l', second]));
    const dead = async (): Promise<string[]> => {
      const status = JSON.parse(await machine.crfs('status', '--json')) as { dead: DeadMount[] };
      return status.dead.map(({ mountpoint }) => mountpoint).filter((path) => [merged, second].includes(path));
    };
    t.deepEqual(await dead(), []);
    const host = hostOf(merged);
    process.kill(host, 'SIGKILL');
    await until('the host has ended', () => !processes().some(({ pid }) => pid === host));
    t.deepEqual((await dead()).sort(), [merged, second].sort());
  });

  test(`a mount whose host is held up is taken away all the same, by ${driver}`, async (t) => {
    const { machine, merged } = await mounted(t, driver);
    const host = hostOf(merged);
    await stop(host);
    t.teardown(() => process.kill(host, 'SIGCONT'));
    t.is((await invoke(machine, ['umount', 'merged'])).stdout, `${merged}: unmounted\n`);
    t.deepEqual(readdirSync(merged), []);
  });

  test(`a mount in another namespace is found there, and taken away, by ${driver}`, async (t) => {
    const { machine, merged } = await mountedElsewhere(t, driver);
    const host = hostOf(merged);
    t.deepEqual(readdirSync(merged), []);
    const { code, stdout } = await invoke(machine, ['umount', 'merged']);
    t.is(code, 0);
    t.is(stdout, `${merged}: unmounted, in the mount namespace of pid ${host}\n`);
    await until('its host has ended', () => !processes().some(({ pid }) => pid === host));
    t.regex((await invoke(machine, ['umount', 'merged'])).stderr, /nothing is mounted there\n$/);
  });

  test(`a mount in another namespace that is busy stays, and tells where it is, by ${driver}`, async (t) => {
    const { machine, merged, inside } = await mountedElsewhere(t, driver);
    const user = await workingIn(t, inside, merged);
    const { code, stderr } = await invoke(machine, ['umount', 'merged']);
    t.is(code, 1);
    const where = `"${merged}" is mounted in another namespace, that of pid ${hostOf(merged)}, and stays`;
    const why = `it is in use by sleep (pid ${user}): end that, or run \`crfs umount --lazy\``;
    t.is(stderr, `crfs: ${where}: ${why}\n`);
    t.is((await invoke(machine, ['umount', '--lazy', 'merged'])).code, 0);
    const again = await invoke(machine, ['umount', '--lazy', 'merged']);
    t.regex(
      again.stderr,
      /merged" is no mount of layers: it was taken away from the namespace of pid \d+, which goes on/,
    );
    t.is(await toldAlone(machine, 'umount', '--all'), 'Nothing is mounted.\n');
    t.notThrows(() => hostOf(merged), 'who uses it is still served');
  });

  test(`a mount is found where one before it, in another namespace, is still in use, by ${driver}`, async (t) => {
    const { machine, merged, inside } = await mountedElsewhere(t, driver);
    await workingIn(t, inside, merged);
    t.is((await invoke(machine, ['umount', '--lazy', 'merged'])).code, 0);
    const before = hostOf(merged);
    await mountElsewhere(t, machine, 'small.tar.esgz', merged, '--driver', driver);
    const { stdout } = await invoke(machine, ['umount', 'merged']);
    t.regex(stdout, /merged: unmounted, in the mount namespace of pid \d+\n$/);
    t.false(stdout.includes(`pid ${before}\n`));
  });

  test(`a mount in a namespace that cannot be entered can be ended by --lazy, by ${driver}`, async (t) => {
    const { machine, merged } = await mountedElsewhere(t, driver);
    const host = hostOf(merged);
    const umount = async (...args: string[]): Promise<string> =>
      String(await run('unshare', ['-Urm', crfs, 'umount', ...args, merged], { env: machine.env }));
    const refused = await t.throwsAsync(umount());
    t.regex(refused?.message ?? '', /merged" is mounted in another namespace, that of pid \d+, and stays: /);
    const where = `in the mount namespace of pid ${host}`;
    const dead = `ended, ${where}; the mountpoint is dead there until it is unmounted in it, or it ends`;
    t.is(await umount('--lazy'), `${merged}: ${driver === 'overlay' ? dead : `unmounted, ${where}`}\n`);
    await until('its host has ended', () => !processes().some(({ pid }) => pid === host));
  });

  test(`what served a mount ends with it, however that goes, by ${driver}`, async (t) => {
    const { machine, merged } = await mounted(t, driver);
    const byHand = hostOf(merged);
    await run('umount', [merged]);
    await gone(byHand);
    const inside = await mountElsewhere(t, machine, 'small.tar.esgz', merged, '--driver', driver);
    const elsewhere = hostOf(merged);
    process.kill(inside);
    if (driver === 'overlay') await gone(elsewhere);
    else process.kill(elsewhere); // it keeps its namespace
    await until('the daemon knows of no mount', async () => (await machine.status())?.mounts.length === 0);
    t.deepEqual(
      processes().filter(({ pid, name }) => isServer(name) && argumentsOf(pid).at(-1) === merged),
      [],
    );
  });
}

for (const driver of DRIVERS) {
  test(`of several mounts, each that can be goes, and each that stays is told of, by ${driver}`, async (t) => {
    const { machine, merged } = await mounted(t, driver);
    const other = machine.directory('other');
    t.teardown(() => run('umount', ['-ql', other]).catch(() => undefined));
    t.is((await invoke(machine, ['mount', 'small.tar.esgz', 'other', '--driver', driver])).code, 0);
    const user = spawn('sleep', ['1000'], { cwd: merged });
    t.teardown(() => user.kill());
    await once(user, 'spawn');
    const { code, stdout, stderr } = await invoke(machine, ['umount', 'merged', 'nothing', 'other']);
    t.deepEqual([code, stdout], [1, `${other}: unmounted\n`]);
    const busy = `"${merged}" stays mounted: it is in use by sleep (pid ${user.pid}): end that, or run \`crfs umount --lazy\``;
    const nothing = `"${join(machine.root, 'nothing')}" is no mount of layers: nothing is mounted there`;
    t.is(stderr, `crfs: ${busy}\ncrfs: ${nothing}\n`);
    const lazy = await invoke(machine, ['umount', '--lazy', '--json', 'merged', 'nothing']);
    t.deepEqual([lazy.code, lazy.stdout], [1, `[{"mountpoint":"${merged}","isLeft":false}]\n`]);
  });
}

test('--all takes away all mounts of a user, served or dead, with a daemon or without, in whatever namespace, and no others', async (t) => {
  const { machine, layer, merged } = await prepare(t);
  // in a namespace of mounts of its own: dead mounts are nobody's, and others test what becomes of theirs
  const holder = spawn('unshare', ['-m', 'sh', '-c', `${LET_GO}\necho ready; exec sleep 100000`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => holder.kill());
  await once(holder.stdout, 'data');
  const inside = async (of: Machine, ...args: string[]): Promise<string> =>
    String(await run('nsenter', ['-t', String(holder.pid), '-m', crfs, ...args], { env: of.env }));
  t.is(await inside(machine, 'umount', '--all'), 'Nothing is mounted.\n');
  t.is(await inside(machine, 'umount', '--all', '--json'), '[]\n');
  const stranger = makeMachine(t);
  await inside(stranger, 'mount', layer, stranger.directory('merged'));
  const mount = async (path: string, driver: Driver): Promise<string> => {
    await inside(machine, 'mount', layer, path, '--driver', driver);
    return path;
  };
  const dead = await mount(machine.directory('dead'), 'overlay');
  const early = await mount(machine.directory('early'), 'overlay');
  const asleep = await mount(machine.directory('asleep'), 'fuse-overlayfs');
  const host = hostOf(dead);
  process.kill(host, 'SIGKILL');
  await gone(host);
  t.is(await inside(machine, 'stop'), 'The daemon has ended; 2 mounts stay, and start another one when read.\n');
  await mount(merged, 'overlay');
  const within = await mount(join(merged, 'usr/share'), 'fuse-overlayfs');
  const away = machine.directory('away');
  await mountElsewhere(t, machine, layer, away);
  const elsewhere = `${away}: unmounted, in the mount namespace of pid ${hostOf(away)}`;
  const here = [within, merged, asleep, early, dead].map((path) => `${path}: unmounted`);
  t.is(await inside(machine, 'umount', '--all'), `${[...here, elsewhere].join('\n')}\n`);
  t.is(await inside(stranger, 'umount', '--all'), `${join(stranger.root, 'merged')}: unmounted\n`);
});

test('umount takes either mountpoints or --all', async (t) => {
  const machine = makeMachine(t);
  for (const [args, what] of [
    [[], 'no mountpoint is named, and --all is not given'],
    [['--all', 'merged'], '--all takes no mountpoint'],
  ] as const) {
    const { code, stderr } = await invoke(machine, ['umount', ...args]);
    t.deepEqual([code, stderr], [2, `crfs: ${what}; see \`crfs umount --help\`\n`]);
  }
});
