// SPDX-License-Identifier: GPL-3.0-or-later

import { fetchAttachedIndex } from '../attached/fetch-index.js';
import type { AttachedIndex } from '../attached/indexes.js';
import { CrfsError } from '../errors/error.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import type { IndexedLayer } from './resolved.js';

/** Milliseconds: a mount waits for the pass over its layer rather than longer for a registry to say what is attached. */
const FIND_WITHIN_MS = 10_000;

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
  return await fetchAttachedIndex(found, blob.size, directory);
}

async function findInTime(indexed: IndexedLayer): Promise<AttachedIndex | undefined> {
  try {
    return await indexed.find(AbortSignal.timeout(FIND_WITHIN_MS));
  } catch (error) {
    if (error instanceof CrfsError) throw error;
    throw new CrfsError('CRFS_UNREACHABLE', 'its registry takes too long to say what is', { cause: error });
  }
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
