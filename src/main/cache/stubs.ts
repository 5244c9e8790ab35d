// SPDX-License-Identifier: GPL-3.0-or-later

/** Stubs of layers, which crfs-lower makes in the cache, and uses: csrc/lower/stubs.h. */

import { closeSync, constants, openSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { addon } from '../../native/addon.js';

/** What was taken away, but could not be removed as a whole. */
const GONE = 'gone-';
const BYTES = 'bytes';

/** Those of one layer. */
export interface Stubs {
  readonly path: string;
  /** What they take on the disk. */
  readonly bytes: number;
  /** When they were last used, in ms since the epoch. */
  readonly used: number;
}

/** All stubs below a directory, but for what was taken away. What goes away meanwhile is left out. */
export async function stubsIn(directory: string): Promise<Stubs[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => !name.startsWith(GONE));
  const found = await Promise.all(names.map((name) => describe(join(directory, name)).catch(() => undefined)));
  return found.filter((one) => one !== undefined);
}

async function describe(path: string): Promise<Stubs> {
  const { mtimeMs } = await stat(path);
  const bytes = Number(await readFile(join(path, BYTES), 'latin1').catch(() => '0')); // none yet: being made
  return { path, bytes: Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : 0, used: mtimeMs };
}

/**
 * Removes stubs, unless a mount uses them, or makes them. Returns whether they have gone. Those of other owners, in
 * directories of theirs, are only theirs to remove: what is left of them goes when the next stubs are made there.
 */
export async function removeStubs(path: string): Promise<boolean> {
  const gone = join(dirname(path), `${GONE}${basename(path)}`);
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    if (!addon.lock(fd)) return false;
    await rm(gone, { recursive: true, force: true }).catch(() => undefined);
    await rename(path, gone);
  } finally {
    closeSync(fd);
  }
  await rm(gone, { recursive: true, force: true }).catch(() => undefined);
  return true;
}

/** Removes what is left of stubs that were taken away, where a daemon was killed over it: in a directory where nobody makes any more. */
export async function sweepStubs(directory: string): Promise<void> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.startsWith(GONE));
  for (const name of names) await rm(join(directory, name), { recursive: true, force: true }).catch(() => undefined);
}
