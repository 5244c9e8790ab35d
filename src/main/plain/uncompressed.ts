// SPDX-License-Identifier: GPL-3.0-or-later

/** A tar as it is: all of it is read once, and what is found is its TOC. */

import { createHash } from 'node:crypto';
import { wholeBlob } from '../blob/read-into.js';
import type { BlobSource } from '../blob/source.js';
import { NONE } from '../formats/codec.js';
import type { Layer, LayerFormat } from '../formats/format.js';
import { PLAIN_KINDS } from '../formats/kinds.js';
import { AS_IT_IS } from '../formats/points.js';
import { BLOCK_SIZE, isHeader } from '../tar/header.js';
import { NO_SINK } from './content-sink.js';
import { readTar } from './entries.js';

export const uncompressed: LayerFormat = {
  async recognise(blob): Promise<Layer | undefined> {
    if (blob.size < BLOCK_SIZE) return undefined;
    const head = await blob.read(0, BLOCK_SIZE);
    return isHeader(head) || head.every((byte) => byte === 0) ? layerIn(blob) : undefined;
  },
};

function layerIn(blob: BlobSource): Layer {
  return {
    name: blob.name,
    kind: PLAIN_KINDS.none,
    codec: NONE,
    contentEnd: blob.size,
    toc: { start: 0, end: blob.size },
    isStreamed: true,
    endOf: (offset, decoded) => AS_IT_IS.endOf(offset, decoded),
    entries: async (add) => {
      const hash = createHash('sha256');
      await readTar(wholeBlob(blob, hash), AS_IT_IS, { add, sink: NO_SINK });
      return hash.digest();
    },
  };
}
