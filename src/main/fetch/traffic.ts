// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';

const POLL_MS = 20;
/** Pieces that nobody waits for. */
const AT_A_TIME = 2;
const QUIET_MS = 200; // after the last demand: the next one often follows at once

/** Gives what is waited for precedence over what is not, on a network that all layers share. */
export class Traffic {
  #demands = 0;
  #lastDemand = Number.NEGATIVE_INFINITY;
  /** Starts whose order is being fetched, or looked for. */
  #starts = 0;
  readonly #turns = pLimit(AT_A_TIME);

  /** Fetches what somebody waits for. */
  async demand<T>(fetch: () => Promise<T>): Promise<T> {
    this.#demands++;
    try {
      return await fetch();
    } finally {
      this.#demands--;
      this.#lastDemand = performance.now();
    }
  }

  /** Fetches what is about to be asked for: before all that nobody waits for. */
  async startUp<T>(fetch: () => Promise<T>): Promise<T> {
    this.#starts++;
    try {
      return await fetch();
    } finally {
      this.#starts--;
    }
  }

  /** Resolves when nothing more is expected to be asked for at once, or the signal aborts. */
  async startedUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#starts > 0) await sleep(POLL_MS);
  }

  /** Resolves when nobody has waited for a while, or the signal aborts. */
  async quiet(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (this.#demands > 0 || performance.now() - this.#lastDemand < QUIET_MS)) {
      await sleep(POLL_MS);
    }
  }

  /** Fetches what nobody waits for, a few pieces at a time, whatever layers they are of. */
  async inTurn<T>(fetch: () => Promise<T>): Promise<T> {
    return await this.#turns(fetch);
  }
}
