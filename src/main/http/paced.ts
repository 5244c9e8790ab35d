// SPDX-License-Identifier: GPL-3.0-or-later

/** Giving up a transfer that trickles: the time spent waiting for it is bounded by what arrives. */

import { TransientError } from './retry.js';

/** Bytes; fewer within the time after which a transfer is given up are no progress. */
export const PROGRESS = 64 << 10;

/**
 * Passes `chunks` on. Throws a TransientError once `stall` milliseconds, as `clock` has them, were waited without PROGRESS
 * bytes arriving.
 */
export async function* paced(
  chunks: AsyncIterable<Uint8Array>,
  stall: number,
  asked: string,
  clock: { now(): number } = performance,
): AsyncGenerator<Uint8Array, void, undefined> {
  let waited = 0;
  let fresh = 0;
  let asking = clock.now();
  for await (const chunk of chunks) {
    waited += clock.now() - asking;
    fresh += chunk.length;
    if (fresh >= PROGRESS) {
      waited = 0;
      fresh = 0;
    }
    if (waited > stall) throw new TransientError(asked, 'the transfer stalled');
    yield chunk;
    asking = clock.now();
  }
}
