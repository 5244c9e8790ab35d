// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';

/** Whether a process has not ended yet; one that nobody has waited for has. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
