// SPDX-License-Identifier: GPL-3.0-or-later

/** The TOC of a layer: a gzip'ed tar of one file. eStargz specification, "TOC". */

import { pipeline, Readable } from 'node:stream';
import { extract } from 'tar-stream';
import type { BlobSource } from '../../blob/source.js';
import { asFault, LayerFault, quote } from '../fault.js';
import { gunzip } from './gunzip.js';
import { TOC_NAME } from './names.js';

/** The JSON text of the TOC in bytes [start, end) of a blob, inflated as it is read. Throws LayerFault where it breaks the format. */
export function readToc(blob: BlobSource, start: number, end: number): AsyncIterable<Uint8Array> {
  return untar(gunzip(blob, start, end));
}

async function* untar(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unpacked = extract();
  pipeline(Readable.from(tar), unpacked, () => {
    // The loop below meets the same error.
  });
  let files = 0;
  try {
    for await (const file of unpacked) {
      files++;
      if (files > 1 || file.header.name !== TOC_NAME) {
        throw new LayerFault(`the TOC's tar holds ${quote(file.header.name)}, not ${TOC_NAME} alone`);
      }
      yield* file as AsyncIterable<Uint8Array>;
    }
  } catch (error) {
    throw asFault(error, 'the TOC is no sound tar');
  }
  if (files === 0) {
    throw new LayerFault(`the TOC's tar holds no ${TOC_NAME}`);
  }
}
