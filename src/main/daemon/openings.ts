// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';

const NUMBERS = 5; // of an open

/** What a mount has noted of an open, by numbers that may be anything: csrc/shared/trace.h. */
export interface NotedOpening {
  readonly layer: number;
  readonly inode: number;
  readonly errno: number;
  /** Milliseconds of `monotonicMs`: when it ended; and how many it waited. */
  readonly at: number;
  readonly waited: number;
}

/** Somebody who reads along what a mount opens. */
export interface Following {
  /** What was noted since this was last called, and how many opens were missed before that; undefined: the mount has gone. */
  read(): { readonly missed: number; readonly openings: readonly NotedOpening[] } | undefined;
  stop(): void;
}

/** Has mounts note what they open as long as somebody reads along. */
export class Openings {
  /** How many follow a ring. */
  readonly #followers = new Map<number, number>();

  /** From now on; undefined: there is no such ring. */
  follow(ring: number): Following | undefined {
    let position = addon.ringTrace(ring, true);
    if (position === null) return undefined;
    this.#followers.set(ring, (this.#followers.get(ring) ?? 0) + 1);
    const numbers = new Float64Array(NUMBERS * addon.layout.constants.traceSize);
    let stopped = false;
    return {
      read: () => {
        const found = position === null ? null : addon.ringOpenings(ring, position, numbers);
        if (found === null) return undefined;
        const [next, missed, count] = found;
        position = next;
        const openings = Array.from({ length: count }, (_, n) => opening(numbers.subarray(n * NUMBERS)));
        return { missed, openings };
      },
      stop: () => {
        if (stopped) return;
        stopped = true;
        const others = (this.#followers.get(ring) ?? 1) - 1;
        if (others > 0) this.#followers.set(ring, others);
        else {
          this.#followers.delete(ring);
          addon.ringTrace(ring, false);
        }
      },
    };
  }
}

function opening([layer = 0, inode = 0, errno = 0, at = 0, waited = 0]: Float64Array): NotedOpening {
  return { layer, inode, errno, at: at / 1e6, waited: waited / 1e6 };
}

/** The clock by which mounts note when they open: csrc/shared/trace.h. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
