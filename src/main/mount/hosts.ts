// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync } from 'node:fs';
import { look } from '../daemon/processes.js';
import { isServer } from './driver.js';
import { hasMount } from './entrance.js';
import { argumentsOf, openFilesOf, processes } from './processes.js';

/** A process that serves a mount of layers. */
export interface Host {
  readonly pid: number;
  readonly mountpoint: string;
}

/** Whether a process is this user's. */
export function isOurs(pid: number): boolean {
  return look(() => statSync(`/proc/${pid}`).uid) === process.geteuid?.();
}

/**
 * This user's mounts that use a cache directory, in whatever namespace, and that no daemon knows: theirs has ended, and they
 * have not been read since. `known`: the PIDs of those that the daemon of now serves.
 */
export function mountsWithoutDaemon(cache: string, known: readonly number[] = []): Host[] {
  return processes()
    .filter(({ pid, name }) => isServer(name) && isOurs(pid) && !known.includes(pid))
    .filter(({ pid }) => openFilesOf(pid).some((path) => path.startsWith(`${cache}/`)) && hasMount(pid))
    .map(({ pid }) => ({ pid, mountpoint: argumentsOf(pid).at(-1) ?? '' }));
}
