// SPDX-License-Identifier: GPL-3.0-or-later

/** Rows of words in memory that threads share; a word is known by its row, and its place in that. */
export class WordRows {
  readonly count: number;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #width: number;

  /** `count` rows of `width` words, from the word at `base` on. */
  constructor(words: Int32Array, base: number, width: number, count: number) {
    this.#words = words;
    this.#base = base;
    this.#width = width;
    this.count = count;
  }

  load(row: number, word: number): number {
    return Atomics.load(this.#words, this.#at(row, word));
  }

  store(row: number, word: number, value: number): void {
    Atomics.store(this.#words, this.#at(row, word), value);
  }

  /** Returns what it was before. */
  add(row: number, word: number, by: number): number {
    return Atomics.add(this.#words, this.#at(row, word), by);
  }

  /** Gives a word a value, unless it has one other than 0. */
  storeFirst(row: number, word: number, value: number): void {
    Atomics.compareExchange(this.#words, this.#at(row, word), 0, value);
  }

  /** Makes all words of a row 0. */
  clear(row: number): void {
    const at = this.#at(row, 0);
    this.#words.fill(0, at, at + this.#width);
  }

  /** The words of a row from `word` on, for others to write. */
  tail(row: number, word: number): Uint32Array {
    const offset = this.#words.byteOffset + this.#at(row, word) * Int32Array.BYTES_PER_ELEMENT;
    return new Uint32Array(this.#words.buffer, offset, this.#width - word);
  }

  #at(row: number, word: number): number {
    return this.#base + row * this.#width + word;
  }
}
