// SPDX-License-Identifier: GPL-3.0-or-later

/** What tests of the command line share: crfs run as a program, small layers, images in a registry. */

import { type ChildProcessByStdio, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import anyTest, { type ExecutionContext } from 'ava';
import { noise } from '../tools/content.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { pushTars } from '../tools/image.js';
import { makeLayer } from '../tools/layers.js';
import { crfs, Machine } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import type { TestImage } from '../tools/registry-image.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';

/** A test that needs a registry; skipped where there is none. */
export const registryTest = missing.length === 0 ? anyTest : anyTest.skip;
if (missing.length > 0) process.stderr.write(`tests with a registry are skipped: no ${missing.join(', no ')}\n`);

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts crfs; what it prints goes through pipes. */
export function start(
  machine: Machine,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(crfs, args, {
    cwd: machine.root,
    env: { ...machine.env, TMPDIR: machine.directory('tmp'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs crfs to its end, whatever that is. */
export async function invoke(...how: Parameters<typeof start>): Promise<Outcome> {
  const child = start(...how);
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const [out, err] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
  return { code: await ended, stdout: out.toString(), stderr: err.toString() };
}

/** Starts crfs on a terminal of so many columns; what is written to its stdin, a person has typed. */
export function startOnTerminal(
  machine: Machine,
  args: readonly string[],
  { columns = 80, env = {} }: { readonly columns?: number; readonly env?: NodeJS.ProcessEnv } = {},
): ChildProcessWithoutNullStreams {
  const plain = { CI: undefined, FORCE_COLOR: undefined, NODE_DISABLE_COLORS: undefined, NO_COLOR: undefined };
  const words = [crfs, ...args].map((word) => `'${word}'`).join(' ');
  return spawn('script', ['-qec', `stty cols ${columns} rows 24; exec ${words}`, '/dev/null'], {
    cwd: machine.root,
    env: { ...machine.env, TMPDIR: machine.directory('tmp'), ...plain, TERM: 'xterm', ...env },
  });
}

/** Runs crfs on a terminal to its end: what the terminal got, and the exit code. */
export async function onTerminal(
  ...how: Parameters<typeof startOnTerminal>
): Promise<{ readonly code: number | null; readonly screen: string }> {
  const child = startOnTerminal(...how);
  const ended = once(child, 'close') as Promise<[number | null]>;
  const screen = await buffer(child.stdout);
  return { code: (await ended)[0], screen: screen.toString() };
}

/** Mounts in a user and mount namespace of its own. Resolves to the PID of what keeps that there. */
export async function mountElsewhere(t: ExecutionContext, machine: Machine, ...args: string[]): Promise<number> {
  const script = '"$@" >&2 && echo mounted && exec sleep 100000';
  const holder = spawn('unshare', ['-Urm', 'sh', '-c', script, 'sh', crfs, 'mount', ...args], {
    cwd: machine.root,
    env: machine.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => holder.kill());
  const [said] = (await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')])) as unknown[];
  t.is(String(said), 'mounted\n');
  return holder.pid ?? 0;
}

export function makeMachine(t: ExecutionContext, environment: Readonly<Record<string, string>> = {}): Machine {
  const machine = new Machine(environment);
  t.teardown(() => machine.dispose());
  return machine;
}

/** A layer of these entries, at `NAME.tar.esgz` in the machine's root. */
export async function layerOf(
  machine: Machine,
  entries: readonly TarEntry[],
  options: Parameters<typeof makeLayer>[1] = {},
): Promise<string> {
  const tar = join(machine.root, 'small.tar');
  writeTar(tar, entries);
  return await makeLayer(tar, options);
}

/** Tars, the base first, as an image in a registry of its own. Resolves to its name. */
export async function imageOf(
  t: ExecutionContext,
  tars: readonly string[],
): Promise<{ readonly name: string; readonly image: TestImage }> {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const name = `${registry.host}/img:1`;
  return { name, image: await pushTars(tars, name) };
}

/** An image behind a proxy that lets the first bytes of each layer through, and then no more. */
export async function stalling(
  t: ExecutionContext,
  machine: Machine,
): Promise<{ proxy: FaultProxy; name: string; digest: string }> {
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, [{ name: 'noise', content: noise(3_000_000) }]);
  const { name, image } = await imageOf(t, [tar]);
  const digest = image.layers[0]?.digest ?? '';
  const [host = '', ...rest] = name.split('/');
  const proxy = await startFaultProxy({ upstream: `http://${host}` });
  t.teardown(() => proxy.close());
  proxy.fault = ({ path }) => (path.endsWith(digest) ? { kind: 'hold', gate: new Gate(), after: 10 } : undefined);
  return { proxy, name: `${proxy.host}/${rest.join('/')}`, digest };
}

/** 2017-07-14T02:40:00Z */
export const TIME = 1_500_000_000;

export const SMALL: readonly TarEntry[] = [
  { name: 'bin/', type: '5', mode: 0o755, mtime: TIME },
  {
    name: 'bin/tool',
    mode: 0o4755,
    mtime: TIME,
    content: 'run\n',
    xattrs: { 'user.note': 'hi', 'user.raw': Buffer.of(0, 255) },
  },
  { name: 'bin/alias', type: '1', mtime: TIME, linkname: 'bin/tool' },
  { name: 'etc/', type: '5', mode: 0o750, uid: 3, gid: 4, mtime: TIME },
  { name: 'etc/empty', mode: 0o600, mtime: TIME },
  { name: 'etc/link', type: '2', mode: 0o777, mtime: TIME, linkname: '/usr/share' },
  { name: 'etc/bad\x1b[31m\n\\name', mtime: TIME, content: 'x' },
  { name: 'usr/', type: '5', mode: 0o1777, mtime: TIME },
  { name: 'usr/null', type: '3', mode: 0o666, devmajor: 1, devminor: 3, mtime: TIME },
  { name: 'usr/share/', type: '5', mode: 0o755, mtime: TIME },
  { name: 'usr/share/text', mtime: TIME, content: 'shared text\n' },
];
