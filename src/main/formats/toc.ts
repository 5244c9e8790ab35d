// SPDX-License-Identifier: GPL-3.0-or-later

/** The TOC of a layer: a gzip'ed tar of one file, `stargz.index.json`. eStargz specification, "TOC". */

import { pipeline, Readable } from 'node:stream';
import { extract } from 'tar-stream';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { asFault, LayerFault, quote } from './fault.js';
import { type LayerKind, readFooter } from './footer.js';
import { gunzip } from './gunzip.js';

const TOC_NAME = 'stargz.index.json';

export interface Toc {
  /** The layer's name, for messages. */
  readonly blob: string;
  readonly kind: LayerKind;
  /** Where the layer's content ends: every chunk starts before it. */
  readonly tocOffset: number;
  /** The JSON text, inflated as it is read, once. Throws LayerFault where it breaks the format. */
  readonly json: AsyncIterable<Uint8Array>;
}

/**
 * Finds the TOC of a layer. `tocSource` is the blob of an external TOC, used by layers whose footer says so.
 * Throws CRFS_NOT_STARGZ, CRFS_BAD_LAYER, and CRFS_NOT_FOUND for an external TOC that is not given.
 */
export async function openToc(source: BlobSource, tocSource?: BlobSource): Promise<Toc> {
  const { kind, start, tocOffset } = await readFooter(source);
  if (kind !== 'estargz-external') {
    return { blob: source.name, kind, tocOffset, json: untar(gunzip(source, tocOffset, start)) };
  }
  if (tocSource === undefined) {
    throw new CrfsError(
      'CRFS_NOT_FOUND',
      `${source.name}: keeps its TOC in another image, tagged <tag>-esgztoc, which is not at hand`,
    );
  }
  return { blob: source.name, kind, tocOffset, json: untar(gunzip(tocSource, 0, tocSource.size)) };
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
