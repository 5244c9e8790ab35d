// SPDX-License-Identifier: GPL-3.0-or-later

import { escapeLine } from './terminal.js';

const SAY_AFTER_MS = 1000;

/**
 * Waits for `work`; a person who looks on at a terminal is told after a second what is still being done, as
 * `still unmounting merged`. `say` is given the line.
 */
export async function sayingSo<T>(doing: string, work: Promise<T>, say = sayOnStderr): Promise<T> {
  if (!process.stderr.isTTY) return await work;
  const timer = setTimeout(() => say(`still ${doing}`), SAY_AFTER_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

function sayOnStderr(line: string): void {
  process.stderr.write(`crfs: ${escapeLine(line)}\n`);
}
