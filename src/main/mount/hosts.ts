// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync } from 'node:fs';
import { askStatus } from '../daemon/ask.js';
import { mountsOf } from '../daemon/mountinfo.js';
import { look } from '../daemon/processes.js';
import { serversOf } from '../daemon/status.js';
import { deadMounts } from './dead.js';
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
  return hostsWith((path) => path.startsWith(`${cache}/`)).filter(({ pid }) => !known.includes(pid));
}

/** The same of those that the daemon of now, if one runs, does not know. Throws CRFS_UNREACHABLE. */
export async function mountsUnknown(cache: string): Promise<Host[]> {
  const status = await askStatus();
  return mountsWithoutDaemon(cache, status && serversOf(status));
}

/** This user's mounts by stubs in a cache directory: what is in the cache, the kernel opens there by itself, and keeps. */
export function mountsByStubs(cache: string): Host[] {
  return hostsWith((path) => path.startsWith(`${cache}/`) && /\/stubs\/[^/]+\/tree$/.test(path));
}

/** Those whose server has such a file open. */
function hostsWith(isOne: (path: string) => boolean): Host[] {
  return processes()
    .filter(({ pid, name }) => isServer(name) && isOurs(pid) && openFilesOf(pid).some(isOne) && hasMount(pid))
    .map(({ pid }) => ({ pid, mountpoint: argumentsOf(pid).at(-1) ?? '' }));
}

/**
 * The absolute paths of all mounts of layers that use a cache directory, in whatever namespace, and of those by the kernel's
 * overlay whose server was killed; the last one that was mounted here comes first. Stores are not among them: podman has images
 * there. Throws CRFS_UNREACHABLE.
 */
export async function allMounts(cache: string): Promise<string[]> {
  const status = await askStatus();
  const known = status?.mounts ?? [];
  const unknown = mountsWithoutDaemon(cache, status && serversOf(status));
  const waiting = unknown.filter(({ pid }) => !argumentsOf(pid).includes('--store'));
  const here = mountsOf();
  const dead = deadMounts().filter(({ driver }) => driver === 'overlay');
  const paths = [...known, ...waiting, ...dead]
    .map(({ mountpoint }) => mountpoint)
    .filter((path) => path.startsWith('/'));
  const place = (path: string): number => here.findLastIndex((mount) => mount.path === path);
  return paths.sort((a, b) => place(b) - place(a));
}
