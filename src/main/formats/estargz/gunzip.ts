// SPDX-License-Identifier: GPL-3.0-or-later

import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { BlobSource } from '../../blob/source.js';
import { asFault } from '../fault.js';
import { inProportion, ranges } from '../toc-bytes.js';

const OUTPUT_BYTES = 1 << 18;

/**
 * Inflates the gzip members in bytes [start, end) of a blob, holding no more than a few buffers at a time.
 * Throws LayerFault for bad data, and for output out of all proportion to the input.
 */
export async function* gunzip(source: BlobSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  const output = createGunzip({ chunkSize: OUTPUT_BYTES });
  pipeline(Readable.from(ranges(source, start, end)), output, () => {
    // The loop below meets the same error.
  });
  try {
    yield* inProportion(output as AsyncIterable<Uint8Array>, end - start);
  } catch (error) {
    throw asFault(error, 'the TOC does not inflate');
  }
}
