// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource, StreamSource } from './source.js';

const PIECE_SIZE = 1024 * 1024;

/** A source that can only read, made one that streams: it reads 1 MiB at a time. */
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
