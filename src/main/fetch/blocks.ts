// SPDX-License-Identifier: GPL-3.0-or-later

/** Bytes in a block: what is fetched of a blob is fetched in whole blocks. */
export const BLOCK = 64 << 10;

const PRESENT = 1;

/** Which blocks of a blob are in its file: one byte each, in memory that the workers share. */
export class Blocks {
  readonly shared: SharedArrayBuffer;
  readonly #present: Uint8Array;

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#present = new Uint8Array(shared);
  }

  /** For a blob of `size` bytes. */
  static of(size: number): Blocks {
    return new Blocks(new SharedArrayBuffer(Math.ceil(size / BLOCK)));
  }

  get count(): number {
    return this.#present.length;
  }

  has(block: number): boolean {
    return Atomics.load(this.#present, block) === PRESENT;
  }

  /** To be called once the block's bytes are in the file. */
  add(block: number): void {
    Atomics.store(this.#present, block, PRESENT);
  }

  /** Whether the bytes [offset, end) are all there. */
  covers(offset: number, end: number): boolean {
    for (let block = Math.floor(offset / BLOCK); block * BLOCK < end; block++) if (!this.has(block)) return false;
    return true;
  }

  /** How many blocks are there. */
  get present(): number {
    let present = 0;
    for (let block = 0; block < this.count; block++) if (this.has(block)) present++;
    return present;
  }
}
