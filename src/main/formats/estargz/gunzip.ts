// SPDX-License-Identifier: GPL-3.0-or-later

import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { BlobSource } from '../../blob/source.js';
import { asFault, LayerFault } from '../fault.js';

const READ_BYTES = 1 << 20;
const OUTPUT_BYTES = 1 << 18;

/** A TOC may inflate to so many bytes, however small it is. */
const FREE_BYTES = 1 << 24;
/** A larger one may grow so many times over. Real ones stay below 20: they are full of digests, which do not compress. */
const RATIO_LIMIT = 100;
/** No TOC may inflate to more bytes than this. */
const TOTAL_LIMIT = 2 ** 32;

/** Bytes [start, end) of a blob, piece by piece. */
async function* ranges(source: BlobSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += READ_BYTES) {
    yield await source.read(at, Math.min(READ_BYTES, end - at));
  }
}

/**
 * Inflates the gzip members in bytes [start, end) of a blob, holding no more than a few buffers at a time.
 * Throws LayerFault for bad data, and for output out of all proportion to the input: 16 MiB are free, beyond them 100:1
 * and 4 GiB are the limits.
 */
export async function* gunzip(source: BlobSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  const limit = Math.min(TOTAL_LIMIT, Math.max(FREE_BYTES, RATIO_LIMIT * (end - start)));
  const output = createGunzip({ chunkSize: OUTPUT_BYTES });
  pipeline(Readable.from(ranges(source, start, end)), output, () => {
    // The loop below meets the same error.
  });
  let total = 0;
  try {
    for await (const part of output as AsyncIterable<Uint8Array>) {
      total += part.length;
      if (total > limit) {
        throw new LayerFault(`the TOC inflates to more than ${limit} bytes, out of ${end - start}`);
      }
      yield part;
    }
  } catch (error) {
    throw asFault(error, 'the TOC does not inflate');
  }
}
