// SPDX-License-Identifier: GPL-3.0-or-later

/** What the kernel tells of other processes of this user. */

import { readFileSync, readlinkSync } from 'node:fs';

/** Whether a process is there that has not ended. */
export function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The mount namespace of a process, as `mnt:[4026531841]`: equal texts, equal namespaces. null: it may not be known. */
export function mountNamespace(pid: number | 'self'): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return null;
  }
}
