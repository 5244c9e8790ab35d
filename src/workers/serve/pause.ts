// SPDX-License-Identifier: GPL-3.0-or-later

import type { Board } from '../board/board.js';
import type { Store } from './store.js';

const PAUSE_MS = 200;

/**
 * Waits before a request is asked again because the cache lacks a file or a directory. Where the cache was removed that is until
 * the daemon ends, as it does once it sees that: whoever was told to ask any sooner would run out of tries.
 */
export function pauseBeforeAgain(store: Pick<Store, 'isThere'>, board: Pick<Board, 'stopping'>): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  do Atomics.wait(word, 0, 0, PAUSE_MS);
  while (!store.isThere() && !board.stopping);
}
