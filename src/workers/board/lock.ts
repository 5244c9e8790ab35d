// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';

const FREE = 0;
const HELD = 1;
const WAITED_FOR = 2; // held, and somebody sleeps until it is not

/** A lock that threads share: one word of their memory. */
export class SharedLock {
  readonly #words: Int32Array;
  readonly #at: number;

  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /**
   * Does `critical` while nobody else holds the lock. Throws CRFS_INTERNAL when it was not let go for `patience`
   * milliseconds: then whoever holds it is dead.
   */
  hold<T>(critical: () => T, patience = Number.POSITIVE_INFINITY): T {
    let seen = Atomics.compareExchange(this.#words, this.#at, FREE, HELD);
    const end = seen === FREE ? 0 : performance.now() + patience;
    while (seen !== FREE) {
      if (seen === WAITED_FOR || Atomics.compareExchange(this.#words, this.#at, HELD, WAITED_FOR) !== FREE) {
        Atomics.wait(this.#words, this.#at, WAITED_FOR, patience);
      }
      seen = Atomics.compareExchange(this.#words, this.#at, FREE, WAITED_FOR);
      if (seen !== FREE && performance.now() > end) {
        throw new CrfsError('CRFS_INTERNAL', 'a worker died over the board');
      }
    }
    try {
      return critical();
    } finally {
      if (Atomics.exchange(this.#words, this.#at, FREE) === WAITED_FOR) Atomics.notify(this.#words, this.#at, 1);
    }
  }
}
