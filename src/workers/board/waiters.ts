// SPDX-License-Identifier: GPL-3.0-or-later

import { WordRows } from './word-rows.js';

/** A request of a mount that waits for a job. */
export interface Waiter {
  readonly ring: number;
  readonly position: number;
}

const WAITER_RING = 0;
const WAITER_POSITION = 1;
const WAITER_NEXT = 2; // in its list; 0: it is the last
const WAITER_WORDS = 3;
const COUNT = 2048;
const FREE = 0; // the row that is no waiter's: its next is the first that is in no list

/** Lists of waiters. A list is known by its first waiter; 0 is no list. All of it is done under the board's lock. */
export class Waiters {
  static readonly words = COUNT * WAITER_WORDS;
  readonly #rows: WordRows;

  /** In the `Waiters.words` words from `base`. */
  constructor(words: Int32Array, base: number) {
    this.#rows = new WordRows(words, base, WAITER_WORDS, COUNT);
  }

  /** Of a new board: all are free. */
  reset(): void {
    for (let waiter = FREE; waiter < COUNT - 1; waiter++) this.#rows.store(waiter, WAITER_NEXT, waiter + 1);
  }

  /** Puts a request in front of a list. Returns the list that this makes, or 0: there is no room. */
  push(list: number, ring: number, position: number): number {
    const waiter = this.#next(FREE);
    if (waiter === 0) return 0;
    this.#rows.store(FREE, WAITER_NEXT, this.#next(waiter));
    this.#rows.store(waiter, WAITER_RING, ring);
    this.#rows.store(waiter, WAITER_POSITION, position);
    this.#rows.store(waiter, WAITER_NEXT, list);
    return waiter;
  }

  list(list: number): Waiter[] {
    const waiters: Waiter[] = [];
    for (let waiter = list; waiter !== 0; waiter = this.#next(waiter)) {
      const ring = this.#rows.load(waiter, WAITER_RING);
      waiters.push({ ring, position: this.#rows.load(waiter, WAITER_POSITION) });
    }
    return waiters;
  }

  /** Ends a list, and returns who was in it. */
  take(list: number): Waiter[] {
    const waiters = this.list(list);
    this.release(list);
    return waiters;
  }

  /** Ends a list: its waiters are free. */
  release(list: number): void {
    for (let waiter = list; waiter !== 0; ) {
      const next = this.#next(waiter);
      this.#rows.store(waiter, WAITER_NEXT, this.#next(FREE));
      this.#rows.store(FREE, WAITER_NEXT, waiter);
      waiter = next;
    }
  }

  #next(waiter: number): number {
    return this.#rows.load(waiter, WAITER_NEXT);
  }
}
