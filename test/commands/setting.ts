// SPDX-License-Identifier: GPL-3.0-or-later

/** What tests of the command line share: crfs run as a program, small layers, images in a registry. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import anyTest, { type ExecutionContext } from 'ava';
import { pushTars } from '../tools/image.js';
import { makeLayer } from '../tools/layers.js';
import { crfs, Machine } from '../tools/machine.js';
import { writeTar } from '../tools/nasty-tar.js';
import { missing, startRegistry } from '../tools/registry.js';
import type { TestImage } from '../tools/registry-image.js';
import type { TarEntry } from '../tools/tar-writer.js';

/** A test that needs a registry; skipped where there is none. */
export const registryTest = missing.length === 0 ? anyTest : anyTest.skip;
if (missing.length > 0) process.stderr.write(`tests with a registry are skipped: no ${missing.join(', no ')}\n`);

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs crfs to its end, whatever that is. */
export async function invoke(machine: Machine, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawn(crfs, args, {
    cwd: machine.root,
    env: { ...machine.env, TMPDIR: machine.directory('tmp'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const [out, err] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
  return { code: await ended, stdout: out.toString(), stderr: err.toString() };
}

export function makeMachine(t: ExecutionContext): Machine {
  const machine = new Machine();
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
