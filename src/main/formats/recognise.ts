// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { estargz } from './estargz/estargz.js';
import type { Layer, LayerFormat } from './format.js';
import { layerAt, zstdChunked } from './zstd-chunked/zstd-chunked.js';

/** A further format is a folder beside these, and its name here. */
const FORMATS: readonly LayerFormat[] = [estargz, zstdChunked];

/**
 * The layer that a blob holds; `tocPosition`: where its TOC is, as the manifest says it, which is done for zstd:chunked alone.
 * `others`: formats that are tried where it has no TOC.
 * Throws CRFS_NOT_STARGZ for one of no format, CRFS_BAD_LAYER for a broken one.
 */
export async function recognise(
  blob: BlobSource,
  tocPosition?: string,
  others: readonly LayerFormat[] = [],
): Promise<Layer> {
  if (tocPosition !== undefined) return layerAt(blob, tocPosition);
  for (const format of [...FORMATS, ...others]) {
    const layer = await format.recognise(blob);
    if (layer !== undefined) return layer;
  }
  throw new CrfsError(
    'CRFS_NOT_STARGZ',
    `${blob.name}: is no layer that can be mounted, or was cut short: no footer at its end, no tar at its beginning; \`crfs stargzify\` converts layers and images`,
  );
}
