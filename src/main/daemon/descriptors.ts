// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import type { Logger } from 'pino';

/** A thread takes some while it starts, and ends at once if it gets none; those that fill files need some, too. */
const DESCRIPTORS_TO_GROW = 24;

/** How many descriptors this process may have open. */
export function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY); // or "unlimited"
}

/** Whether there are descriptors for a thread more. */
export class ThreadRoom {
  readonly #log: Logger;
  #isTold = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Logs it where there are too few, once for each time that they grow so. */
  get isThere(): boolean {
    const free = freeDescriptors();
    const isThere = free >= DESCRIPTORS_TO_GROW;
    if (!isThere && !this.#isTold) this.#log.warn(`no more workers are started: only ${free} descriptors are left`);
    this.#isTold = !isThere;
    return isThere;
  }
}

function freeDescriptors(): number {
  try {
    return descriptorLimit() - readdirSync('/proc/self/fd').length;
  } catch {
    return 0; // to look takes one
  }
}
