// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource } from '../blob/source.js';
import type { Layer } from './format.js';
import { isPortable } from './portable/layout.js';
import { indexedLayer } from './portable/read.js';
import { sociLayer } from './soci/read.js';

/**
 * The layer in a blob of which another one holds the index: one that `crfs index` has made, or else a zTOC of SOCI. No byte of the blob
 * is read here. Throws CRFS_BAD_LAYER for what is no index of it.
 */
export async function layerByIndex(blob: Pick<BlobSource, 'name' | 'size'>, index: BlobSource): Promise<Layer> {
  return (await isPortable(index)) ? await indexedLayer(blob, index) : await sociLayer(blob, index);
}
