// SPDX-License-Identifier: GPL-3.0-or-later

/** Bytes in a block: what is fetched of a blob is fetched in whole blocks. */
export const BLOCK = 32 << 10;

// what the byte of a block says; 0: it is absent
const PRESENT = 1;
/** Its bytes were wrong: it counts as absent, until it has been fetched again. */
const DOUBTED = 2;
/** Present, and fetched again after its bytes were wrong. */
const FETCHED_AGAIN = 3;

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
    const state = Atomics.load(this.#present, block);
    return state === PRESENT || state === FETCHED_AGAIN;
  }

  /** To be called once the block's bytes are in the file. */
  add(block: number): void {
    const again = Atomics.load(this.#present, block) === DOUBTED;
    Atomics.store(this.#present, block, again ? FETCHED_AGAIN : PRESENT);
  }

  /**
   * The bytes [offset, end) turned out to be wrong: has them fetched again, each block once in the life of this map.
   * Returns false where all of them were already: they are what the source has.
   */
  doubt(offset: number, end: number): boolean {
    let doubted = false;
    for (let block = Math.floor(offset / BLOCK); block * BLOCK < end; block++) {
      if (Atomics.compareExchange(this.#present, block, PRESENT, DOUBTED) !== FETCHED_AGAIN) doubted = true;
    }
    return doubted;
  }

  /**
   * Whether the bytes [offset, end) are the last that the source is asked for: what is read from now on, and wrong, stays
   * wrong. What was read before that was so may have been right since.
   */
  isFinal(offset: number, end: number): boolean {
    for (let block = Math.floor(offset / BLOCK); block * BLOCK < end; block++) {
      if (Atomics.load(this.#present, block) !== FETCHED_AGAIN) return false;
    }
    return true;
  }

  /** Whether a block is absent because its bytes were wrong. */
  isDoubted(block: number): boolean {
    return Atomics.load(this.#present, block) === DOUBTED;
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
