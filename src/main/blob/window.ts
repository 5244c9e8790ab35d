// SPDX-License-Identifier: GPL-3.0-or-later

/** Some bytes of a stream that comes in pieces. */
export class Window {
  /** Bytes of it that are still to come. */
  left: number;
  #skip: number;

  /** The bytes [skip, skip + length) of the stream. */
  constructor(skip: number, length: number) {
    this.#skip = skip;
    this.left = length;
  }

  /** What of the next piece lies in it: nothing, maybe. */
  cut(piece: Uint8Array): Uint8Array {
    const part = piece.subarray(this.#skip, this.#skip + this.left);
    this.#skip -= Math.min(this.#skip, piece.length);
    this.left -= part.length;
    return part;
  }
}
