// SPDX-License-Identifier: GPL-3.0-or-later

/** What the kernel tells of processes. */

import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux

export interface Memory {
  /** MB that are resident, and of these what belongs to no file. */
  readonly resident: number;
  readonly anonymous: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6;
  return { resident: megabytes('VmRSS'), anonymous: megabytes('RssAnon') };
}

/** Seconds of CPU that a process has used, all of its threads together. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The fuse-overlayfs or the crfs-lower that serves a mount point; undefined: the kernel alone does. */
export function serverOf(merged: string): number | undefined {
  const found = readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(merged));
  return found === undefined ? undefined : Number(found);
}

/** The process that serves a mount point. */
export function hostOf(merged: string): number {
  const found = serverOf(merged);
  if (found === undefined) throw new Error(`no process serves ${merged}`);
  return found;
}

function commandLine(pid: string): string[] {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return /(^|\/)(fuse-overlayfs|crfs-lower)$/.test(words[0] ?? '') ? words : [];
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return []; // it has ended
    throw error;
  }
}
