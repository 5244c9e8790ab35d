// SPDX-License-Identifier: GPL-3.0-or-later

import { note } from './tell.js';

const SAY_AFTER_MS = 1000;

/**
 * Waits for `work`. If it takes longer than a second, a person at a terminal is told what is still being done: `doing` is
 * `unmounting merged`, and the line that `say` is given is `still unmounting merged`.
 */
export async function tellingIfSlow<T>(doing: string, work: Promise<T>, say = note): Promise<T> {
  return process.stderr.isTTY ? await sayingIfSlow(() => say(`still ${doing}`), work) : await work;
}

/** Waits for `work`, and says something if that takes longer than a second, whoever reads it. */
export async function sayingIfSlow<T>(say: () => void, work: Promise<T>): Promise<T> {
  const timer = setTimeout(say, SAY_AFTER_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
