// SPDX-License-Identifier: GPL-3.0-or-later

import { note } from './tell.js';

const SAY_AFTER_MS = 1000;

/**
 * Waits for `work`. If it takes longer than a second, a person at a terminal is told what is still being done: `doing` is
 * `unmounting merged`, and the line that `say` is given is `still unmounting merged`.
 */
export async function tellingIfSlow<T>(doing: string, work: Promise<T>, say = note): Promise<T> {
  if (!process.stderr.isTTY) return await work;
  const timer = setTimeout(() => say(`still ${doing}`), SAY_AFTER_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
