// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';

/** Writes a file beside its name-to-be, and renames it when `work` has succeeded. */
export async function writeWhole<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
  const file = await open(temporary, 'wx').catch((error: NodeJS.ErrnoException) => {
    throw new CrfsError('CRFS_USAGE', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
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

/** Says it plainly when the disk is full. */
export function spaceError(path: string, error: unknown): unknown {
  if (error instanceof CrfsError || !isNoSpace(error)) return error;
  return new CrfsError('CRFS_NO_SPACE', `no space left to write ${path}`, { cause: error });
}
