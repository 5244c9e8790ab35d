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
 * V8 keeps the pages of a heap that is gone, for threads that may begin. In Node.js 24 a task gives them back 8 s later. In 26
 * that task is not started again within 12 s of its last run: what threads leave that end by then, 100 MB and more, would
 * stay for good, but V8 lets go of it before it collects garbage as a last resort, which takes some 15 ms. The C library
 * keeps what threads have freed, too. (`bin/crfs` has Node.js provide `gc`.)
 */
function trim(): void {
  globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
  addon.trimMemory();
}
