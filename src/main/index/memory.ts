// SPDX-License-Identifier: GPL-3.0-or-later

import { totalmem } from 'node:os';

/** Of the memory there is, an index may take a part: one in so many. */
const PART = 4;
/** At most 1 GiB: enough for more than three million entries. */
const MOST = 1 << 30;

/**
 * The bytes of memory that making one index may take. `setting` is index-memory, of which 0 stands for a quarter of what
 * the machine has, or the control group that this process is in, and at most 1 GiB.
 */
export function indexMemory(setting: number): number {
  if (setting > 0) return setting;
  const constrained = process.constrainedMemory();
  const there = constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
  return Math.min(MOST, Math.floor(there / PART));
}
