// SPDX-License-Identifier: GPL-3.0-or-later

import type { FileHandle } from 'node:fs/promises';
import { verified } from '../blob/digest.js';
import { namelessFile } from '../blob/nameless-file.js';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { ztocLimit } from '../formats/soci/read.js';
import type { AttachedIndex } from './indexes.js';

/** Milliseconds: what a registry has not said by then of what is attached is done without. */
const FIND_WITHIN_MS = 10_000;
/** Bytes in a millisecond: an index that comes more slowly is done without, too; those that it is instead of would take hours. */
const LEAST_SPEED = 64;
/** An index of so many bytes may be of any blob. */
const FREE_BYTES = 16 << 20;

/** Looks for an index, for no longer than is sensible. Rejects with CRFS_UNREACHABLE then, and as `find` does. */
export async function findInTime(
  find: (signal: AbortSignal) => Promise<AttachedIndex | undefined>,
): Promise<AttachedIndex | undefined> {
  try {
    return await find(AbortSignal.timeout(FIND_WITHIN_MS));
  } catch (error) {
    if (error instanceof CrfsError) throw error;
    throw new CrfsError('CRFS_UNREACHABLE', 'its registry takes too long to say what is', { cause: error });
  }
}

/**
 * The index of a blob of `blobSize` bytes, in a file without a name in `directory`, which the caller closes. Rejects with what keeps it from being
 * fetched, with CRFS_UNREACHABLE where that takes too long, with the signal's reason, and for one that is larger than any of such a blob.
 */
export async function fetchAttachedIndex(
  found: AttachedIndex,
  blobSize: number,
  directory: string,
  signal?: AbortSignal,
): Promise<FileHandle> {
  if (found.size > (found.form === 'soci' ? ztocLimit(blobSize) : FREE_BYTES + blobSize)) {
    throw new CrfsError('CRFS_BAD_LAYER', `${found.name}: ${found.size} bytes for a layer of ${blobSize}`);
  }
  const timeout = AbortSignal.timeout(FIND_WITHIN_MS + Math.ceil(found.size / LEAST_SPEED));
  const file = await namelessFile(directory);
  try {
    const source = await found.open();
    try {
      const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
      for await (const piece of verified(source, found, ended)) await append(file, piece);
    } finally {
      await source.close();
    }
    return file;
  } catch (error) {
    await file.close();
    if (error !== timeout.reason) throw error;
    throw new CrfsError('CRFS_UNREACHABLE', 'its registry takes too long to send it', { cause: error });
  }
}

async function append(file: FileHandle, bytes: Uint8Array): Promise<void> {
  await file.appendFile(bytes).catch((error: unknown) => {
    if (isNoSpace(error)) throw new CrfsError('CRFS_NO_SPACE', 'no space left for it', { cause: error });
    throw error;
  });
}
