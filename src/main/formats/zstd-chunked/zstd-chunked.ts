// SPDX-License-Identifier: GPL-3.0-or-later

/** zstd:chunked: a tar in zstd frames, of which each chunk has its own, with a TOC in JSON behind them. */

import { createHash, type Hash } from 'node:crypto';
import type { BlobSource } from '../../blob/source.js';
import { ZSTD } from '../codec.js';
import { decoded } from '../decode.js';
import type { Entry } from '../entry.js';
import { LayerFault } from '../fault.js';
import type { Layer, LayerFormat } from '../format.js';
import { readEntries } from '../json-toc/read.js';
import { inProportion, ranges } from '../toc-bytes.js';
import { contentEnd, parsePosition, readFooter, type TocPlace } from './place.js';

export const zstdChunked: LayerFormat = {
  async recognise(blob): Promise<Layer | undefined> {
    const place = await readFooter(blob);
    return place && layerWith(blob, place);
  },
};

/** The layer in a blob whose TOC stands where its manifest says, footer or none. Throws CRFS_BAD_LAYER. */
export function layerAt(blob: BlobSource, position: string): Layer {
  return layerWith(blob, parsePosition(blob, position));
}

function layerWith(blob: BlobSource, place: TocPlace): Layer {
  const { start, end } = place;
  return {
    name: blob.name,
    kind: 'zstd:chunked',
    codec: ZSTD,
    contentEnd: contentEnd(place),
    toc: { start, end },
    entries: async (add) => await readToc(blob, place, add),
  };
}

/** Resolves to the sha256 that manifests name the TOC by: that of its zstd frame. Throws LayerFault. */
async function readToc(
  blob: BlobSource,
  { start, end, length }: TocPlace,
  add: (entry: Entry) => void,
): Promise<Buffer> {
  const hash = createHash('sha256');
  const json = decoded(hashing(ranges(blob, start, end), hash), 'zstd', { what: 'the TOC' });
  await readEntries(ofLength(inProportion(json, end - start), length), add);
  return hash.digest();
}

async function* hashing(pieces: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
}

async function* ofLength(pieces: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let left = length;
  for await (const piece of pieces) {
    left -= piece.length;
    if (left < 0) break;
    yield piece;
  }
  if (left !== 0)
    throw new LayerFault(`the TOC has ${left < 0 ? 'more' : 'less'} than the ${length} bytes that are stated`);
}
