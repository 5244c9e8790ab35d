// SPDX-License-Identifier: GPL-3.0-or-later

import type { Hash } from 'node:crypto';
import { addon } from '../../native/addon.js';
import type { BlobSource } from '../blob/source.js';
import { LayerFault } from '../formats/fault.js';
import type { Points } from '../formats/points.js';

const READ_BYTES = 1 << 20;
const OUTPUT_BYTES = 256 << 10;

export interface Unpacking {
  /** Takes the points, each before the bytes behind it are handed on. */
  readonly points: Points;
  /** Bytes of output between them, at least. */
  readonly span: number;
  /** Takes the bytes of the blob. */
  readonly hash: Hash;
}

/** What a blob in gzip decodes to, in pieces that stay as they are. Throws LayerFault where it is corrupt, or ends too early. */
export async function* unpacked(blob: BlobSource, { points, span, hash }: Unpacking): AsyncGenerator<Uint8Array> {
  const gunzip = new addon.PointGunzip(span);
  const window = Buffer.allocUnsafeSlow(addon.layout.constants.windowLimit);
  let room: Uint8Array = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let outOffset = 0;
  let ended = false;
  try {
    for (let at = 0; at < blob.size; at += READ_BYTES) {
      const input = await blob.read(at, Math.min(READ_BYTES, blob.size - at));
      hash.update(input);
      for (let done = 0, more = true; done < input.length || more; ) {
        const [used, made, whole, bit] = step(gunzip, input.subarray(done), room);
        done += used;
        outOffset += made;
        ended = whole;
        if (bit >= 0) {
          const length = gunzip.window(window);
          points.add({ bit, window: window.subarray(0, length) }, at + done - (bit > 0 ? 1 : 0), outOffset);
        }
        more = bit >= 0 || made === room.length; // there may be more to come out than went in
        if (made > 0) yield room.subarray(0, made);
        room = made === room.length ? Buffer.allocUnsafeSlow(OUTPUT_BYTES) : room.subarray(made);
      }
    }
  } finally {
    gunzip.close();
  }
  if (!ended) throw new LayerFault('its gzip stream ends too early');
}

function step(
  gunzip: InstanceType<typeof addon.PointGunzip>,
  input: Uint8Array,
  room: Uint8Array,
): ReturnType<typeof gunzip.step> {
  try {
    return gunzip.step(input, room);
  } catch (error) {
    throw new LayerFault(`its gzip stream cannot be decoded: ${(error as Error).message}`, { cause: error });
  }
}
