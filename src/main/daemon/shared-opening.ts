// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';
import { unlessAborted } from '../errors/unless-aborted.js';

/** What is opened once for all who ask for it. It is given up when the last of them has gone before it is there. */
export class SharedOpening<T> {
  /** What came of it, once it has. */
  opened: T | undefined;
  /** Resolves when it has come to an end, whatever that is: nothing of it goes on any more. */
  readonly ended: Promise<unknown>;
  readonly #opening: Promise<T>;
  readonly #over = new AbortController();
  #waiting = 0;
  #isSettled = false;

  /** `open` heeds the signal, or not; `leave` takes what came of it where nobody waits for that any more. */
  constructor(open: (signal: AbortSignal) => Promise<T>, leave: (opened: T) => void) {
    this.#opening = this.#open(open, leave);
    this.ended = Promise.allSettled([this.#opening]); // whoever waits is told
  }

  /** Whether it is no use to wait for it: everybody who did has gone. */
  get isGivenUp(): boolean {
    return this.#over.signal.aborted;
  }

  /** Waits for it, and rejects as it does, or with the signal's reason. */
  async wait(signal: AbortSignal): Promise<T> {
    this.#waiting++;
    try {
      return await unlessAborted(() => this.#opening, signal);
    } finally {
      this.#waiting--;
      if (this.#waiting === 0 && !this.#isSettled) {
        this.#over.abort(new CrfsError('CRFS_INTERNAL', 'nobody waits for it any more'));
      }
    }
  }

  async #open(open: (signal: AbortSignal) => Promise<T>, leave: (opened: T) => void): Promise<T> {
    try {
      this.opened = await open(this.#over.signal);
    } finally {
      this.#isSettled = true;
    }
    if (this.isGivenUp) leave(this.opened);
    return this.opened;
  }
}
