// SPDX-License-Identifier: GPL-3.0-or-later

/** stargz and eStargz: a tar.gz of a gzip member a chunk, with a TOC in JSON at its end. */

import type { BlobSource } from '../../blob/source.js';
import { CrfsError } from '../../errors/error.js';
import { GZIP } from '../codec.js';
import type { Layer, LayerFormat } from '../format.js';
import { readEntries } from '../json-toc/read.js';
import { readFooter } from './footer.js';
import { readToc } from './toc.js';

export const estargz: LayerFormat = {
  async recognise(blob): Promise<Layer | undefined> {
    const footer = await readFooter(blob);
    if (footer === undefined) return undefined;
    const { kind, tocOffset, start } = footer;
    const toc = kind === 'estargz-external' ? undefined : { start: tocOffset, end: start };
    return {
      name: blob.name,
      kind,
      codec: GZIP,
      contentEnd: tocOffset,
      toc,
      isTarToc: true,
      entries: async (add, elsewhere) => {
        const json = toc ? readToc(blob, toc.start, toc.end) : readExternal(blob, elsewhere);
        return await readEntries(json, add);
      },
    };
  },
};

function readExternal(blob: BlobSource, toc: BlobSource | undefined): AsyncIterable<Uint8Array> {
  if (toc !== undefined) return readToc(toc, 0, toc.size);
  const where = 'in another image, tagged <tag>-esgztoc, which is not at hand';
  throw new CrfsError('CRFS_NOT_FOUND', `${blob.name}: keeps its TOC ${where}`);
}
