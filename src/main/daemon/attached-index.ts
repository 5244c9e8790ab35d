// SPDX-License-Identifier: GPL-3.0-or-later

import { fetchAttachedIndex, findInTime } from '../attached/fetch-index.js';
import { CrfsError } from '../errors/error.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import type { IndexForm } from '../formats/by-index.js';
import type { IndexedLayer } from './resolved.js';

/** A file without a name. */
export interface FetchedIndex {
  readonly fd: number;
  readonly form: IndexForm;
  /** Of what is in it. */
  readonly digest: string;
  close(): Promise<void>;
}

/**
 * The index that is attached to a layer's image, in a file in `directory`, where the layer has no TOC. The registry is asked while the end of
 * the blob comes, which says whether it has. Resolves to undefined where there is none. Rejects with what keeps it from being
 * fetched, with the signal's reason, and for one that is larger than any of such a blob.
 */
export async function fetchIndex(
  indexed: IndexedLayer,
  blob: LayerBlob,
  directory: string,
  signal: AbortSignal,
): Promise<FetchedIndex | undefined> {
  indexed.begin();
  if (await hasToc(blob)) return undefined;
  const found = await findInTime((inTime) => indexed.find(inTime));
  if (found === undefined) return undefined;
  const file = await fetchAttachedIndex(found, blob.size, directory, signal);
  return { fd: file.fd, form: found.form, digest: found.digest, close: async () => await file.close() };
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
