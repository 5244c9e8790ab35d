// SPDX-License-Identifier: GPL-3.0-or-later

/** A tar in gzip or zstd as it comes, of any number of members or frames: all of it is read once, and what is found is its TOC. */

import { createHash } from 'node:crypto';
import type { StreamForm } from '../../native/addon.js';
import type { BlobSource } from '../blob/source.js';
import { GZIP_POINTS, ZSTD } from '../formats/codec.js';
import { formOf } from '../formats/decode.js';
import type { Layer, LayerFormat } from '../formats/format.js';
import { Points } from '../formats/points.js';
import { readTar } from './entries.js';
import { unpacked } from './unpack.js';

export const PLAIN_GZIP = 'plain gzip';
export const PLAIN_ZSTD = 'plain zstd';

/** Bytes of output between points: half of it, on average, is decoded to get to a byte. */
const SPAN = 4 << 20;
/** Bytes that one zstd frame may hold: what is read of it is decoded from its start. */
const MOST_OF_FRAME = 8 << 20;

export const compressed: LayerFormat = {
  async recognise(blob): Promise<Layer | undefined> {
    const form = formOf(await blob.read(0, Math.min(4, blob.size)));
    return form === 'none' ? undefined : layerIn(blob, form, SPAN);
  },
};

/** The layer in a blob, with points so many bytes of output apart. */
export function layerIn(blob: BlobSource, form: StreamForm, span: number): Layer {
  const points = new Points();
  const isGzip = form === 'gzip';
  const most = isGzip ? Number.POSITIVE_INFINITY : MOST_OF_FRAME;
  return {
    name: blob.name,
    kind: isGzip ? PLAIN_GZIP : PLAIN_ZSTD,
    codec: isGzip ? GZIP_POINTS : ZSTD,
    contentEnd: blob.size,
    toc: { start: 0, end: blob.size },
    isStreamed: true,
    endOf: (offset, decoded) => points.endOf(offset, decoded),
    ...(isGzip ? { points } : {}),
    entries: async (add) => {
      const hash = createHash('sha256');
      await readTar(unpacked(blob, { form, points, span, most, hash }), (tarOffset) => points.locate(tarOffset), add);
      return hash.digest();
    },
  };
}
