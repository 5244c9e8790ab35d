// SPDX-License-Identifier: GPL-3.0-or-later

import type { FileHandle } from 'node:fs/promises';
import type { AttachedIndex } from '../attached/indexes.js';
import { verified } from '../blob/digest.js';
import { namelessFile } from '../blob/nameless-file.js';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import type { IndexedLayer } from './resolved.js';

/** Milliseconds: a mount waits for the pass over its layer rather than longer for a registry to say what is attached. */
const FIND_WITHIN_MS = 10_000;
/** An index of so many bytes may be of any blob. */
const FREE_BYTES = 16 << 20;

/** A file without a name. */
export interface FetchedIndex {
  readonly fd: number;
  close(): Promise<void>;
}

/**
 * The index that is attached to a layer's image, in a file in `directory`, where the layer has no TOC. The registry is asked while the end of
 * the blob comes, which says whether it has. Resolves to undefined where there is none. Rejects with what keeps it from being
 * fetched, and for one that is larger than any of such a blob.
 */
export async function fetchIndex(
  indexed: IndexedLayer,
  blob: LayerBlob,
  directory: string,
): Promise<FetchedIndex | undefined> {
  indexed.begin();
  if (await hasToc(blob)) return undefined;
  const found = await findInTime(indexed);
  if (found === undefined) return undefined;
  if (found.size > FREE_BYTES + blob.size) {
    throw new CrfsError('CRFS_BAD_LAYER', `${found.name}: ${found.size} bytes for a layer of ${blob.size}`);
  }
  const file = await namelessFile(directory);
  try {
    const source = await found.open();
    try {
      for await (const piece of verified(source, found)) await append(file, piece);
    } finally {
      await source.close();
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function findInTime(indexed: IndexedLayer): Promise<AttachedIndex | undefined> {
  try {
    return await indexed.find(AbortSignal.timeout(FIND_WITHIN_MS));
  } catch (error) {
    if (error instanceof CrfsError) throw error;
    throw new CrfsError('CRFS_UNREACHABLE', 'its registry takes too long to say what is', { cause: error });
  }
}

async function append(file: FileHandle, bytes: Uint8Array): Promise<void> {
  await file.appendFile(bytes).catch((error: unknown) => {
    if (isNoSpace(error)) throw new CrfsError('CRFS_NO_SPACE', 'no space left for it', { cause: error });
    throw error;
  });
}

async function hasToc(blob: LayerBlob): Promise<boolean> {
  try {
    const { elsewhere } = await blob.prepareToc([]);
    await elsewhere?.close();
    return true;
  } catch (error) {
    if (error instanceof CrfsError && error.code === 'CRFS_NOT_STARGZ') return false;
    throw error;
  }
}
