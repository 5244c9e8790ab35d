// SPDX-License-Identifier: GPL-3.0-or-later

/** Takes a stream apart into pieces of wanted lengths, copying only where a piece spans two buffers of the stream. */
export class ByteReader {
  /** Bytes taken so far. */
  position = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Takes at least 1 and at most `limit` bytes, as they come; undefined at the end of the stream. */
  some(limit: number): Uint8Array | Promise<Uint8Array | undefined> {
    return this.#buffer.length > 0 ? this.#take(Math.min(limit, this.#buffer.length)) : this.#someMore(limit);
  }

  /** Takes `length` bytes, or fewer if the stream ends before. */
  exactly(length: number): Uint8Array | Promise<Uint8Array> {
    return this.#buffer.length >= length ? this.#take(length) : this.#gather(length);
  }

  /** Ends the stream early. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #someMore(limit: number): Promise<Uint8Array | undefined> {
    return (await this.#fill()) ? this.#take(Math.min(limit, this.#buffer.length)) : undefined;
  }

  async #gather(length: number): Promise<Uint8Array> {
    const whole = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const piece = await this.some(length - filled);
      if (!piece) return whole.subarray(0, filled);
      whole.set(piece, filled);
      filled += piece.length;
    }
    return whole;
  }

  #take(length: number): Uint8Array {
    const piece = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    this.position += length;
    return piece;
  }

  async #fill(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#source.next();
      if (done) return false;
      if (value.length === 0) continue;
      this.#buffer = value;
      return true;
    }
  }
}
