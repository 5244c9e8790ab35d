// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import type { BlobSource, StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import type { Descriptor } from '../registry/types.js';

const pieceSize = 1024 * 1024;

/** A source read piece by piece where it cannot stream by itself. */
export function streaming(source: BlobSource): StreamSource {
  return {
    name: source.name,
    size: source.size,
    read: (offset, length) => source.read(offset, length),
    async *stream(offset, length) {
      for (let at = offset; at < offset + length; at += pieceSize) {
        yield await source.read(at, Math.min(pieceSize, offset + length - at));
      }
    },
    close: () => source.close(),
  };
}

/** All bytes of a blob; at its end CRFS_DIGEST if they are not the descriptor's. Each piece is the reader's to keep. */
export async function* verified(
  source: StreamSource,
  { digest, size }: Descriptor,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (source.size !== size) throw new CrfsError('CRFS_DIGEST', `${source.name} has ${source.size} bytes, not ${size}`);
  const hash = createHash('sha256');
  for await (const piece of source.stream(0, size, signal)) {
    hash.update(piece);
    yield Buffer.from(piece);
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest) throw new CrfsError('CRFS_DIGEST', `${source.name} has other content: ${found}`);
}

/** A small blob as a whole, checked. */
export async function readBlob(
  source: StreamSource,
  descriptor: Descriptor,
  limit: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  if (descriptor.size > limit) {
    throw new CrfsError('CRFS_BAD_LAYER', `${source.name} has ${descriptor.size} bytes, more than ${limit}`);
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of verified(source, descriptor, signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}
