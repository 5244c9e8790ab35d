// SPDX-License-Identifier: GPL-3.0-or-later

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

/**
 * Lists of waiters. A list is known by the number of its first waiter; they are counted from 1, and 0 is no list. Those
 * in no list are in one of their own. All of it is done under the board's lock.
 */
export class Waiters {
  static readonly words = COUNT * WAITER_WORDS;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #free: number;

  /** In the `Waiters.words` words from `base`; the word at `free` knows the list of those that are free. */
  constructor(words: Int32Array, base: number, free: number) {
    this.#words = words;
    this.#base = base;
    this.#free = free;
  }

  /** Of a new board: all are free. */
  reset(): void {
    for (let waiter = 1; waiter < COUNT; waiter++) this.#words[this.#at(waiter) + WAITER_NEXT] = waiter + 1;
    this.#words[this.#free] = 1;
  }

  /** Puts a request in front of a list. Returns the list that this makes, or 0: there is no room. */
  push(list: number, ring: number, position: number): number {
    const waiter = this.#load(this.#free);
    if (waiter === 0) return 0;
    const at = this.#at(waiter);
    this.#words[this.#free] = this.#load(at + WAITER_NEXT);
    this.#words[at + WAITER_RING] = ring;
    this.#words[at + WAITER_POSITION] = position;
    this.#words[at + WAITER_NEXT] = list;
    return waiter;
  }

  list(list: number): Waiter[] {
    const waiters: Waiter[] = [];
    for (let waiter = list; waiter !== 0; waiter = this.#load(this.#at(waiter) + WAITER_NEXT)) {
      const at = this.#at(waiter);
      waiters.push({ ring: this.#load(at + WAITER_RING), position: this.#load(at + WAITER_POSITION) });
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
      const at = this.#at(waiter);
      const next = this.#load(at + WAITER_NEXT);
      this.#words[at + WAITER_NEXT] = this.#load(this.#free);
      this.#words[this.#free] = waiter;
      waiter = next;
    }
  }

  #at(waiter: number): number {
    return this.#base + (waiter - 1) * WAITER_WORDS;
  }

  #load(at: number): number {
    return Atomics.load(this.#words, at);
  }
}
