// SPDX-License-Identifier: GPL-3.0-or-later

import type { Hash } from 'node:crypto';
import { addon, type PointDecoder, type StreamForm } from '../../native/addon.js';
import { oneAhead } from '../blob/one-ahead.js';
import { wholeBlob } from '../blob/read-into.js';
import type { BlobSource } from '../blob/source.js';
import { LayerFault } from '../formats/fault.js';
import type { Points } from '../formats/points.js';

const OUTPUT_BYTES = 1 << 20;

export interface Unpacking {
  readonly form: StreamForm;
  /** Takes the points, each before the bytes behind it are handed on. */
  readonly points: Points;
  /** Bytes of output between them, at least. */
  readonly span: number;
  /** Takes the bytes of the blob. */
  readonly hash: Hash;
}

/**
 * What a compressed blob decodes to, in pieces that are valid until the next one is asked for: while that is used, the next one is
 * decoded, in another thread. Throws LayerFault where it is corrupt, or ends too early.
 */
export async function* unpacked(blob: BlobSource, unpacking: Unpacking): AsyncGenerator<Uint8Array> {
  yield* oneAhead(decoded(blob, unpacking));
}

/** The same, in pieces of which each is valid until the one after the next is asked for. */
async function* decoded(blob: BlobSource, { form, points, span, hash }: Unpacking): AsyncGenerator<Uint8Array> {
  const decoder = new addon.PointDecoder(form, span);
  let [room, other] = [Buffer.allocUnsafeSlow(OUTPUT_BYTES), Buffer.allocUnsafeSlow(OUTPUT_BYTES)];
  let at = 0;
  let outOffset = 0;
  let ended = false;
  try {
    for await (const input of wholeBlob(blob, hash)) {
      for (let done = 0, isFull = true; done < input.length || isFull; ) {
        const [used, made, whole, found] = await step(form, decoder, input.subarray(done), room);
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
    decoder.close();
  }
  if (!ended) throw new LayerFault(`its ${form} stream ends too early`);
}

async function step(
  form: StreamForm,
  decoder: PointDecoder,
  input: Uint8Array,
  room: Uint8Array,
): ReturnType<PointDecoder['step']> {
  try {
    return await decoder.step(input, room);
  } catch (error) {
    throw new LayerFault(`its ${form} stream cannot be decoded: ${(error as Error).message}`, { cause: error });
  }
}
