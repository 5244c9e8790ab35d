// SPDX-License-Identifier: GPL-3.0-or-later

/** The directory of one container: where its image is mounted, and what it changes. */

import { closeSync, constants, mkdtempSync, openSync, readdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { addon } from '../../native/addon.js';
import { look } from '../daemon/processes.js';
import { makeDirectories } from '../disk/make-directories.js';
import { CrfsError } from '../errors/error.js';
import { makeCacheDirectory } from '../settings/directories.js';
import type { Mounter, RunDirectory } from './mounter.js';
import { makeReadable } from './readable.js';

/** The name of one until it is locked: others leave it alone. */
const UNLOCKED = '.container-';

/**
 * Makes one. Of others, those that nobody uses any more are taken away first, with what is mounted there: their process was
 * killed. It lies beside the cache: an overlay needs a file system that takes what the image has.
 */
export async function makeRunDirectory(mounter: Mounter): Promise<RunDirectory> {
  const all = join(makeCacheDirectory(), 'run');
  makeDirectories(all, 0o700);
  for (const name of readdirSync(all).filter((one) => !one.startsWith(UNLOCKED))) {
    const lock = look(() => lockOf(join(all, name)));
    if (lock === undefined) continue;
    await mounter.remove(directoryAt(join(all, name), lock)).catch(() => undefined); // the next one tries again
    closeSync(lock);
  }
  const unlocked = mkdtempSync(join(all, UNLOCKED));
  const lock = lockOf(unlocked);
  if (lock === undefined) throw new CrfsError('CRFS_INTERNAL', `${unlocked} is locked by another process`);
  const path = join(all, basename(unlocked).slice(1));
  renameSync(unlocked, path);
  const made = directoryAt(path, lock);
  for (const part of [made.merged, made.upper, made.work]) makeReadable(part);
  return made;
}

function directoryAt(path: string, lock: number): RunDirectory {
  const at = (name: string): string => join(path, name);
  return { path, merged: at('merged'), upper: at('upper'), work: at('work'), idFile: at('id'), lock };
}

/** A descriptor that holds the lock of a directory; undefined: a process that lives has it. */
function lockOf(path: string): number | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  if (addon.lock(fd)) return fd;
  closeSync(fd);
  return undefined;
}
