// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource, StreamSource } from './source.js';

const PIECE_SIZE = 1024 * 1024;

/** A source read piece by piece where it cannot stream by itself. */
export function streaming(source: BlobSource): StreamSource {
  return {
    name: source.name,
    size: source.size,
    read: (offset, length) => source.read(offset, length),
    async *stream(offset, length) {
      for (let at = offset; at < offset + length; at += PIECE_SIZE) {
        yield await source.read(at, Math.min(PIECE_SIZE, offset + length - at));
      }
    },
    close: () => source.close(),
  };
}
