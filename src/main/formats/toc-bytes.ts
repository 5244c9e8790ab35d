// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource } from '../blob/source.js';
import { LayerFault } from './fault.js';

const READ_BYTES = 1 << 20;

/** A TOC may decode to so many bytes, however small it is. */
const FREE_BYTES = 1 << 24;
/** A larger one may grow so many times over. Real ones stay below 20: they are full of digests, which do not compress. */
const RATIO_LIMIT = 100;
/** No TOC may decode to more bytes than this. */
const TOTAL_LIMIT = 2 ** 32;

/** Bytes [start, end) of a blob, piece by piece. */
export async function* ranges(source: BlobSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += READ_BYTES) {
    yield await source.read(at, Math.min(READ_BYTES, end - at));
  }
}

/**
 * Hands on what a TOC of `length` compressed bytes decodes to. Throws LayerFault for what is out of all proportion to
 * that: 16 MiB are free, beyond them 100:1 and 4 GiB are the limits.
 */
export async function* inProportion(pieces: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  const limit = Math.min(TOTAL_LIMIT, Math.max(FREE_BYTES, RATIO_LIMIT * length));
  let total = 0;
  for await (const piece of pieces) {
    total += piece.length;
    if (total > limit) {
      throw new LayerFault(`the TOC inflates to more than ${limit} bytes, out of ${length}`);
    }
    yield piece;
  }
}
