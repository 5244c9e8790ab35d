// SPDX-License-Identifier: GPL-3.0-or-later

const SAY_AFTER_MS = 1000;

/** Waits for `work`; a person who looks on is told after a second what for. */
export async function sayingSo<T>(what: string, work: Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return await work;
  const timer = setTimeout(() => process.stderr.write(`crfs: waiting: ${what}\n`), SAY_AFTER_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
