// SPDX-License-Identifier: GPL-3.0-or-later

import type { Hash } from 'node:crypto';
import { addon } from '../../native/addon.js';
import { oneAhead } from '../blob/one-ahead.js';
import type { BlobSource } from '../blob/source.js';
import { LayerFault } from '../formats/fault.js';
import type { Points } from '../formats/points.js';

const READ_BYTES = 1 << 20;
const OUTPUT_BYTES = 1 << 20;

export interface Unpacking {
  /** Takes the points, each before the bytes behind it are handed on. */
  readonly points: Points;
  /** Bytes of output between them, at least. */
  readonly span: number;
  /** Takes the bytes of the blob. */
  readonly hash: Hash;
}

/**
 * What a blob in gzip decodes to, in pieces that are valid until the next one is asked for: while that is used, the next one is
 * decoded, in another thread. Throws LayerFault where it is corrupt, or ends too early.
 */
export async function* unpacked(blob: BlobSource, unpacking: Unpacking): AsyncGenerator<Uint8Array> {
  yield* oneAhead(decoded(blob, unpacking));
}

/** The same, in pieces of which each is valid until the one after the next is asked for. */
async function* decoded(blob: BlobSource, { points, span, hash }: Unpacking): AsyncGenerator<Uint8Array> {
  const gunzip = new addon.PointGunzip(span);
  let [room, other] = [Buffer.allocUnsafeSlow(OUTPUT_BYTES), Buffer.allocUnsafeSlow(OUTPUT_BYTES)];
  let at = 0;
  let outOffset = 0;
  let ended = false;
  try {
    for await (const input of oneAhead(readThrough(blob))) {
      hash.update(input);
      for (let done = 0, isFull = true; done < input.length || isFull; ) {
        const [used, made, whole, found] = await step(gunzip, input.subarray(done), room);
        for (const point of found) {
          const behind = at + done + point.used;
          points.add(point, point.bit > 0 ? behind - 1 : behind, outOffset + point.made);
        }
        done += used;
        outOffset += made;
        ended = whole;
        isFull = made === room.length; // there may be more to come out than went in
        if (made > 0) yield room.subarray(0, made);
        [room, other] = [other, room];
      }
      at += input.length;
    }
  } finally {
    gunzip.close();
  }
  if (!ended) throw new LayerFault('its gzip stream ends too early');
}

async function* readThrough(blob: BlobSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.size; at += READ_BYTES) {
    yield await blob.read(at, Math.min(READ_BYTES, blob.size - at));
  }
}

async function step(
  gunzip: InstanceType<typeof addon.PointGunzip>,
  input: Uint8Array,
  room: Uint8Array,
): ReturnType<typeof gunzip.step> {
  try {
    return await gunzip.step(input, room);
  } catch (error) {
    throw new LayerFault(`its gzip stream cannot be decoded: ${(error as Error).message}`, { cause: error });
  }
}
