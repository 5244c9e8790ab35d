// SPDX-License-Identifier: GPL-3.0-or-later

/** What the kernel tells of other processes, as proc(5) has it. */

import { readFileSync, readlinkSync } from 'node:fs';

/** Whether a process is there that has not ended. */
export function lives(pid: number): boolean {
  return look(() => !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) ?? false;
}

/** In what proc(5) counts times of processes: the kernel shows them so on all machines. */
const TICKS_PER_SECOND = 100;
/** Its place in /proc/PID/stat, behind the name. */
const STARTTIME = 19;

/** When a process began, to the second; undefined if it has ended. */
export function startOf(pid: number): Date | undefined {
  return look(() => {
    const boot = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1];
    const ticks = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[STARTTIME];
    const date = new Date((Number(boot) + Number(ticks) / TICKS_PER_SECOND) * 1000);
    return Number.isNaN(date.getTime()) ? undefined : date;
  });
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
