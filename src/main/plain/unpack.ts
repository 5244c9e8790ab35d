// SPDX-License-Identifier: GPL-3.0-or-later

import type { Hash } from 'node:crypto';
import { addon, type Decoded, type PointDecoder, type StreamForm } from '../../native/addon.js';
import { pieces } from '../blob/read-into.js';
import type { BlobSource } from '../blob/source.js';
import { LayerFault } from '../formats/fault.js';
import type { Points } from '../formats/points.js';
import type { FirstRead } from './first-read.js';

/** Pieces of the blob that are decoded, or wait for that. */
const INPUTS = 3;
/** Bytes of what it decodes to that are handled at once, and how many such pieces there are. */
const OUTPUT_BYTES = 1 << 20;
const OUTPUTS = 8;

export interface Unpacking {
  readonly form: StreamForm;
  /** Takes the points, each before the bytes behind it are handed on. */
  readonly points: Points;
  /** Bytes of output between them, at least. */
  readonly span: number;
  /** Takes the bytes of the blob. */
  readonly hash: Hash;
  /** Whether it is still wanted: little of a blob may decode to very much. */
  readonly read: FirstRead;
}

/**
 * What a compressed blob decodes to, in pieces that are valid until the next one is asked for. Another thread decodes those that follow
 * meanwhile: some take longer to use than to decode, some the other way round. Throws LayerFault where it is corrupt, or
 * ends too early, and what `read` throws.
 */
export async function* unpacked(
  blob: BlobSource,
  { form, points, span, hash, read }: Unpacking,
): AsyncGenerator<Uint8Array> {
  const decoder = new addon.PointDecoder(form, span);
  const feeding = feed(decoder, blob, hash);
  feeding.catch(() => decoder.close());
  const rooms = Array.from({ length: OUTPUTS }, () => Buffer.allocUnsafeSlow(OUTPUT_BYTES));
  const filled = rooms.map((room) => decoder.fill(room));
  try {
    for (let n = 0, isLast = false; !isLast; n = (n + 1) % OUTPUTS) {
      read.checkWanted();
      const room = rooms[n] as Buffer;
      const { done, points: found, windows, fault, ...rest } = await (filled[n] as Promise<Decoded>);
      if (fault !== '') throw new LayerFault(`its ${form} stream ${fault}`);
      for (const point of found) points.add(point);
      for (const window of windows) points.close(window);
      if (done > 0) yield room.subarray(0, done);
      isLast = rest.isLast;
      if (!isLast) filled[n] = decoder.fill(room);
    }
    await feeding;
  } finally {
    decoder.close();
    await feeding.catch(() => undefined);
  }
}

/** Hands all of a blob to a decoder, and to `hash`, until no more is wanted. Rejects as reading the blob does. */
async function feed(decoder: PointDecoder, blob: BlobSource, hash: Hash): Promise<void> {
  const taken: Promise<Decoded>[] = [];
  for await (const piece of pieces(blob, hash, INPUTS)) {
    taken.push(decoder.take(piece));
    if (taken.length === INPUTS && (await taken.shift())?.isLast) return;
  }
  decoder.takeNoMore();
}
