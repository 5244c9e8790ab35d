// SPDX-License-Identifier: GPL-3.0-or-later

/** A range of a stream that comes in pieces. */
export class Window {
  /** Bytes of the range that are still to come. */
  left: number;
  #skip: number;

  /** The bytes [skip, skip + length) of the stream. */
  constructor(skip: number, length: number) {
    this.#skip = skip;
    this.left = length;
  }

  /** The part of the stream's next piece that lies in the range; it may be empty. */
  cut(piece: Uint8Array): Uint8Array {
    const part = piece.subarray(this.#skip, this.#skip + this.left);
    this.#skip -= Math.min(this.#skip, piece.length);
    this.left -= part.length;
    return part;
  }
}
