// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource } from '../blob/source.js';
import type { Layer } from './format.js';
import { indexedLayer } from './portable/read.js';
import { sociLayer } from './soci/read.js';

/** What an index is: one that `crfs index` has made, or a zTOC of SOCI. */
export type IndexForm = 'portable' | 'soci';

/** The layer in a blob of which another one holds the index. No byte of the blob is read here. Throws CRFS_BAD_LAYER for what is no index of it. */
export async function layerByIndex(
  blob: Pick<BlobSource, 'name' | 'size'>,
  index: BlobSource,
  form: IndexForm,
): Promise<Layer> {
  return form === 'soci' ? await sociLayer(blob, index) : await indexedLayer(blob, index);
}
