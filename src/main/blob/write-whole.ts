// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';

/**
 * Has `work` write a file under a temporary name beside its own, which it gets when `work` has succeeded. Rejects with
 * CRFS_DENIED where no file can be written, with CRFS_NO_SPACE, and as `work` does; nothing is left behind then.
 */
export async function writeWhole<T>(written: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const path = await replaceable(written);
  const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
  const file = await open(temporary, 'wx').catch((error: NodeJS.ErrnoException) => {
    throw new CrfsError('CRFS_DENIED', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  });
  try {
    const result = await work(file);
    await file.sync();
    await file.close();
    await rename(temporary, path);
    return result;
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw spaceError(path, error);
  }
}

/** The file that a path leads to, symlinks followed. Only a file may be replaced: never a device, or a pipe. */
async function replaceable(written: string): Promise<string> {
  const found = await stat(written).catch(() => undefined);
  if (found === undefined) return written;
  if (found.isFile()) return await realpath(written);
  throw new CrfsError('CRFS_DENIED', `cannot write ${written}: it is there, and no file`);
}

/** The error to show: CRFS_NO_SPACE for a full disk; others as they are. */
export function spaceError(path: string, error: unknown): unknown {
  if (error instanceof CrfsError || !isNoSpace(error)) return error;
  return new CrfsError('CRFS_NO_SPACE', `no space left to write ${path}`, { cause: error });
}
