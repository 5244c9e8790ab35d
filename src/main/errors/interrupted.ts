// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';

/** What ends a command that was not told to go on. */
export const interruptingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type InterruptingSignal = (typeof interruptingSignals)[number];

/** A command was interrupted, and has taken away what it had half done. */
export class Interrupted extends Error {
  readonly code = 'CRFS_INTERRUPTED';
  /** 128 and the signal's number, as shells tell of what a signal has ended. */
  readonly exitCode: number;

  constructor(signal: InterruptingSignal) {
    super('interrupted: nothing half-done is left');
    this.name = 'Interrupted';
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * Watches for signals that interrupt a command, once: the second one ends the process where it is. One that comes when the
 * work is done changes nothing any more.
 */
export class Interruption {
  readonly #controller = new AbortController();

  constructor() {
    for (const name of interruptingSignals) {
      process.once(name, () => this.#controller.abort(new Interrupted(name)));
    }
  }

  /** Aborts, with an Interrupted, when the first signal comes. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
}
