// SPDX-License-Identifier: GPL-3.0-or-later

import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeStubs, stubsIn, sweepStubs } from './stubs.js';

const STUBS = 'stubs';

/**
 * Removes a layout of the cache that this version does not read; but not stubs that mounts use, whose names would go: those
 * are left for a later daemon.
 */
export async function removeOutdated(root: string): Promise<void> {
  const stubs = join(root, STUBS);
  for (const { path } of await stubsIn(stubs)) await removeStubs(path).catch(() => false);
  await sweepStubs(stubs);
  for (const name of await readdir(root)) {
    if (name !== STUBS) await rm(join(root, name), { recursive: true, force: true });
  }
  await rmdir(stubs).catch(() => undefined); // there are some left, or it has none
  await rmdir(root).catch(() => undefined);
}
