// SPDX-License-Identifier: GPL-3.0-or-later

/** What one file's reader was last seen to do. */
interface Stream {
  /** The chunk behind those that were read last. */
  next: number;
  /** The chunk up to which all was asked for ahead of it. */
  reached: number;
  /** Bytes of the blob to fetch ahead of it; 0: it has not gone on yet where it was. */
  window: number;
}

/** Files whose readers are kept in mind. */
const MOST = 256;
/** What a reader did is not told in order: so many chunks back it is still the same one. */
const DISORDER = 4;

/**
 * Tells who reads a file from front to back. Such a reader gets a window, which doubles whenever it has gone on, be it
 * over chunks that came ahead of it, of which nothing is heard; a reader that goes elsewhere starts anew, and gets its
 * chunks alone.
 */
export class Streams {
  readonly #streams = new Map<string, Stream>();

  /**
   * Chunks [first, end) of the file `key` were asked for. Returns the `window` of bytes to fetch ahead: none, or from `least` to
   * `most`; and `from` which chunk on the reader has read without a word.
   */
  read(
    key: string,
    first: number,
    end: number,
    { least, most }: { least: number; most: number },
  ): { readonly from: number; readonly window: number } {
    const stream = this.#streams.get(key) ?? { next: end, reached: 0, window: 0 };
    const isAnew = first > Math.max(stream.next, stream.reached) || first < stream.next - DISORDER;
    const from = isAnew ? first : Math.min(first, stream.next);
    if (isAnew) {
      stream.window = stream.reached = 0;
      stream.next = end;
    } else if (first >= stream.next) stream.window = Math.min(most, Math.max(least, 2 * stream.window));
    stream.next = Math.max(stream.next, end);
    this.#streams.delete(key); // and set again: the oldest comes first
    this.#streams.set(key, stream);
    for (const [oldest] of this.#streams) {
      if (this.#streams.size <= MOST) break;
      this.#streams.delete(oldest);
    }
    return { from, window: stream.window };
  }

  /** All up to this chunk of a file was asked for. */
  reach(key: string, chunk: number): void {
    const stream = this.#streams.get(key);
    if (stream) stream.reached = Math.max(stream.reached, chunk);
  }
}
