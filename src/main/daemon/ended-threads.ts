// SPDX-License-Identifier: GPL-3.0-or-later

import type { Piscina } from 'piscina';
import { addon } from '../../native/addon.js';

/** Threads end one soon after the other: what they leave is given back once, after the last. */
const TRIM_AFTER_MS = 2000;

let trimming: NodeJS.Timeout | undefined;

/** From now on, the memory that threads of the pool leave when they end is given back to the system. */
export function trimAfterThreads(pool: Piscina): void {
  pool.on('workerCreate', ({ id }: { readonly id: number }) => {
    const thread = pool.threads.find(({ threadId }) => threadId === id);
    thread?.once('exit', trimLater); // then its heap is gone, which it is not yet when its last task has ended
  });
}

function trimLater(): void {
  clearTimeout(trimming);
  trimming = setTimeout(trim, TRIM_AFTER_MS).unref();
}

/**
 * V8 keeps pages of heaps that are gone, for threads that may begin. From Node.js 25 on a task of its own gives them back,
 * which is not started again where many threads end within a few seconds of its last run, so that 200 MB would stay for
 * good; but V8 lets go of all such pages before it collects garbage as a last resort. The C library keeps what threads
 * have freed as well. (`bin/crfs` has Node.js provide `gc`.)
 */
function trim(): void {
  globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
  addon.trimMemory();
}
