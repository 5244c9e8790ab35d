// SPDX-License-Identifier: GPL-3.0-or-later

import type { Hash } from 'node:crypto';
import { oneAhead } from './one-ahead.js';
import type { BlobSource } from './source.js';

const PIECE_BYTES = 1 << 20;

/** Fills `room` with the bytes of a blob from `offset` on. Rejects as `read` does. */
export async function readInto(blob: BlobSource, offset: number, room: Uint8Array): Promise<void> {
  if (blob.readInto) await blob.readInto(offset, room);
  else room.set(await blob.read(offset, room.length));
}

/**
 * All bytes of a blob, in pieces of 1 MiB that are valid until the next one is asked for: that is read meanwhile, into memory that
 * is used again, and goes into `hash`.
 */
export function wholeBlob(blob: BlobSource, hash: Hash): AsyncGenerator<Uint8Array> {
  return oneAhead(pieces(blob, hash, 2));
}

/** The same, with so many pieces in memory: each is valid until as many further ones are asked for. */
export async function* pieces(blob: BlobSource, hash: Hash, count: number): AsyncGenerator<Uint8Array> {
  const rooms = Array.from({ length: count }, () => Buffer.allocUnsafeSlow(PIECE_BYTES));
  for (let at = 0, n = 0; at < blob.size; at += PIECE_BYTES, n = (n + 1) % count) {
    const piece = (rooms[n] as Buffer).subarray(0, Math.min(PIECE_BYTES, blob.size - at));
    await readInto(blob, at, piece);
    hash.update(piece);
    yield piece;
  }
}
