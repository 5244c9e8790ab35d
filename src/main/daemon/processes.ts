// SPDX-License-Identifier: GPL-3.0-or-later

/** What the kernel tells of other processes, as proc(5) has it. */

import { readFileSync, readlinkSync } from 'node:fs';

/** Whether a process is there that has not ended. */
export function lives(pid: number): boolean {
  return look(() => !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) ?? false;
}

/**
 * Where a link below /proc/PID leads; undefined if it cannot be seen. `ns/mnt` leads to the mount namespace, as
 * `mnt:[4026531841]`: equal texts, equal namespaces.
 */
export function linkOf(pid: number | 'self', link: string): string | undefined {
  return look(() => readlinkSync(`/proc/${pid}/${link}`));
}

/** What `at` sees; undefined where that has gone, or is not for us to see. */
export function look<T>(at: () => T): T | undefined {
  try {
    return at();
  } catch {
    return undefined;
  }
}
