// SPDX-License-Identifier: GPL-3.0-or-later

/** Passes an input on, until the signal aborts, and tells how many bytes pass. */
export async function* watched(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
  advance: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of input) {
      signal?.throwIfAborted();
      advance?.(piece.length);
      yield piece;
    }
  } catch (error) {
    signal?.throwIfAborted(); // whatever error the abort has made of the stream, this is the reason
    throw error;
  }
}
