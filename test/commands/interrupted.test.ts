// SPDX-License-Identifier: GPL-3.0-or-later

/** Commands that a signal interrupts: the exit status tells which, and nothing half-done is left. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { noise } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { crfs, type Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { tarEntry, writeTar } from '../tools/tar-writer.js';
import { makeMachine, registryTest, stalling } from './setting.js';

const mounting = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const;

interface Run {
  readonly child: ChildProcess;
  readonly end: Promise<{ readonly code: number | null; readonly stderr: string }>;
}

/** Starts crfs in a directory `here`, with TMPDIR beside it. */
function start(machine: Machine, args: readonly string[]): Run {
  const env = { ...machine.env, TMPDIR: machine.directory('tmp') };
  const child = spawn(crfs, args, { cwd: machine.directory('here'), env, stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.on('error', () => undefined); // it may end before it has read all
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const end = Promise.all([exited, text(child.stderr)]).then(([[code], stderr]) => ({ code, stderr }));
  return { child, end };
}

function left(machine: Machine): string[] {
  return [...readdirSync(machine.directory('here')), ...readdirSync(machine.directory('tmp'))];
}

/** Whether a process was started with a mountpoint among its arguments. */
function isServed(merged: string): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      return /^[0-9]+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(merged);
    } catch {
      return false; // it has ended
    }
  });
}

for (const [signal, status] of SIGNALS) {
  test(`${signal} ends a conversion that waits for its input, with ${status}`, async (t) => {
    const machine = makeMachine(t);
    const { child, end } = start(machine, ['stargzify', '-', 'layer.esgz']);
    child.stdin?.write(tarEntry({ name: 'noise', content: noise(20_000_000) }).subarray(0, 19_000_000));
    const here = machine.directory('here');
    await until('some of the layer is written', () =>
      readdirSync(here).some((name) => (statSync(join(here, name), { throwIfNoEntry: false })?.size ?? 0) > 0),
    );
    child.kill(signal);
    t.deepEqual(await end, { code: status, stderr: '-: converting\ncrfs: interrupted: nothing half-done is left\n' });
    t.deepEqual(left(machine), []);
  });

  registryTest(`${signal} ends a proof that waits for a registry, with ${status}`, async (t) => {
    const machine = makeMachine(t);
    const { proxy, name, digest } = await stalling(t, machine);
    const { child, end } = start(machine, ['verify', name]);
    await until('a layer is asked for', () => proxy.seen.some(({ path }) => path.endsWith(digest)));
    child.kill(signal);
    const { code, stderr } = await end;
    t.is(code, status);
    t.true(stderr.endsWith('\ncrfs: interrupted: nothing half-done is left\n'), stderr);
    t.deepEqual(left(machine), []);
  });

  mounting(`${signal} ends a mount that waits for a registry, with ${status}`, async (t) => {
    const machine = makeMachine(t);
    const { proxy, name, digest } = await stalling(t, machine);
    const { child, end } = start(machine, ['mount', name, machine.directory('merged')]);
    const before = statSync(machine.directory('merged')).dev;
    await until('a layer is asked for', () => proxy.seen.some(({ path }) => path.endsWith(digest)));
    child.kill(signal);
    t.like(await end, { code: status });
    t.is(statSync(machine.directory('merged')).dev, before);
    t.deepEqual(left(machine), []);
    await until('nobody asks for its layers any more', () => !isServed(machine.directory('merged')));
    proxy.fault = () => undefined; // but for the answer that is held
    await machine.crfs('mount', name, machine.directory('merged'));
    t.deepEqual(readdirSync(machine.directory('merged')), ['noise']);
    await machine.crfs('umount', machine.directory('merged'));
  });
}

mounting('SIGKILL ends a mount that waits for a registry, and nothing is mounted later', async (t) => {
  const machine = makeMachine(t);
  const { proxy, name, digest } = await stalling(t, machine);
  const merged = machine.directory('merged');
  const before = statSync(merged).dev;
  const { child, end } = start(machine, ['mount', '--driver', 'overlay', name, merged]);
  await until('a layer is asked for', () => proxy.seen.some(({ path }) => path.endsWith(digest)));
  child.kill('SIGKILL');
  t.like(await end, { code: null });
  await until('nobody asks for its layers any more', () => !isServed(merged));
  t.is(statSync(merged).dev, before);
});

mounting('SIGTERM ends a mount in the foreground that is not there yet, which is no failure', async (t) => {
  const machine = makeMachine(t);
  const { proxy, name, digest } = await stalling(t, machine);
  const { child, end } = start(machine, ['mount', '-f', name, machine.directory('merged')]);
  const before = statSync(machine.directory('merged')).dev;
  await until('a layer is asked for', () => proxy.seen.some(({ path }) => path.endsWith(digest)));
  child.kill('SIGTERM');
  t.deepEqual(await end, { code: 0, stderr: '' });
  t.is(statSync(machine.directory('merged')).dev, before);
});

for (const to of ['oci:layout:x', 'oci-archive:archive.tar', 'docker-archive:archive.tar:x']) {
  registryTest(`SIGINT ends a conversion to ${to} that waits for a registry`, async (t) => {
    const machine = makeMachine(t);
    const { proxy, name, digest } = await stalling(t, machine);
    const { child, end } = start(machine, ['stargzify', name, to]);
    await until('a layer is asked for', () => proxy.seen.some(({ path }) => path.endsWith(digest)));
    child.kill('SIGINT');
    t.like(await end, { code: 130 });
    t.deepEqual(left(machine), []);
  });
}

registryTest('an upload that is interrupted is cancelled, and no image appears', async (t) => {
  const machine = makeMachine(t);
  const { proxy, name } = await stalling(t, machine);
  const tar = join(machine.root, 'small.tar');
  writeTar(tar, [{ name: 'a', content: 'a' }]);
  const to = name.replace(/img:1$/, 'other:1');
  const gate = new Gate();
  proxy.fault = ({ method }) => (method === 'PATCH' || method === 'PUT' ? { kind: 'hold', gate } : undefined);
  const { child, end } = start(machine, ['stargzify', '--prioritize', '/dev/null', name, to]);
  await until('an upload is under way', () => gate.arrivals > 0);
  child.kill('SIGINT');
  t.like(await end, { code: 130 });
  await until('the registry is told', () => proxy.seen.some(({ method }) => method === 'DELETE'));
  t.false(proxy.seen.some(({ method, path }) => method === 'PUT' && path.includes('/manifests/')));
  t.false(existsSync(join(machine.directory('here'), 'other')));
});
