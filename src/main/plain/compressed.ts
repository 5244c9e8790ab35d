// SPDX-License-Identifier: GPL-3.0-or-later

/** A tar in gzip as it comes, of one member or several: all of it is read once, and what is found is its TOC. */

import { createHash } from 'node:crypto';
import type { BlobSource } from '../blob/source.js';
import { GZIP_POINTS } from '../formats/codec.js';
import type { Layer, LayerFormat } from '../formats/format.js';
import { Points } from '../formats/points.js';
import { readTar } from './entries.js';
import { unpacked } from './unpack.js';

export const PLAIN_GZIP = 'plain gzip';

/** Bytes of output between points: half of it, on average, is inflated to get to a byte. */
const SPAN = 4 << 20;
/** How a member begins: gzip's magic number, and deflate (RFC 1952). */
const HEAD = Buffer.from('1f8b08', 'hex');

export const plainGzip: LayerFormat = {
  async recognise(blob): Promise<Layer | undefined> {
    const head = await blob.read(0, Math.min(HEAD.length, blob.size));
    return HEAD.equals(head) ? layerIn(blob, SPAN) : undefined;
  },
};

/** The layer in a blob in gzip, with points so many bytes of output apart. */
export function layerIn(blob: BlobSource, span: number): Layer {
  const points = new Points();
  return {
    name: blob.name,
    kind: PLAIN_GZIP,
    codec: GZIP_POINTS,
    contentEnd: blob.size,
    toc: { start: 0, end: blob.size },
    isStreamed: true,
    points,
    entries: async (add) => {
      const hash = createHash('sha256');
      await readTar(
        unpacked(blob, { points, span, hash }),
        (tarOffset) => {
          const { offset, outOffset } = points.before(tarOffset);
          return { offset, innerOffset: tarOffset - outOffset };
        },
        add,
      );
      return hash.digest();
    },
  };
}
