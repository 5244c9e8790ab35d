// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync } from 'node:fs';
import { askStatus } from '../daemon/ask.js';
import { mountsOf } from '../daemon/mountinfo.js';
import { look } from '../daemon/processes.js';
import { serversOf } from '../daemon/status.js';
import { cacheDirectoryOf } from '../settings/directories.js';
import { deadMounts } from './dead.js';
import { isServer } from './driver.js';
import { hasMount } from './entrance.js';
import { HOST } from './host.js';
import { LOWER } from './lower.js';
import { argumentsOf, environmentOf, openFilesOf, processes } from './processes.js';

/** A process that serves a mount of layers, or a store. */
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

/** Those whose stubs were removed by other means than `crfs cache`: names that nobody has looked up yet are missing there. */
export function mountsOfRemovedCache(cache: string): Host[] {
  return hostsWith((path) => path.startsWith(`${cache}/`) && /\/stubs\/[^/]+\/tree \(deleted\)$/.test(path));
}

/** What is told of these. */
export const CACHE_REMOVED = 'its cache was removed: unmount it, and mount it again';

/** Whether a process serves a store, or has made one and stays in the foreground. */
export function isStore(pid: number): boolean {
  return argumentsOf(pid).includes('--store');
}

/** This user's stores with a cache directory, in whatever namespace, also those of which nothing is used. */
export function storesWith(cache: string): Host[] {
  const servers = processes().filter(({ pid, name }) => name === LOWER && isOurs(pid) && isStore(pid) && hasMount(pid));
  const hosts = servers.filter(({ pid }) => cacheDirectoryOf(environmentOf(pid)) === cache).map(hostOf);
  return hosts.filter(({ mountpoint }, n) => !hosts.slice(n + 1).some((other) => other.mountpoint === mountpoint));
}

/** Those whose server has such a file open. */
function hostsWith(isOne: (path: string) => boolean): Host[] {
  return processes()
    .filter(({ pid, name }) => isServer(name) && isOurs(pid) && openFilesOf(pid).some(isOne) && hasMount(pid))
    .map(hostOf);
}

function hostOf({ pid }: { readonly pid: number }): Host {
  return { pid, mountpoint: argumentsOf(pid).at(-1) ?? '' };
}

/** What `crfs umount --all` is about. */
export interface AllMounts {
  /** The absolute paths of those that it takes away; the last one that was mounted here comes first. */
  readonly paths: readonly string[];
  /** What it leaves, and why. */
  readonly left: readonly { readonly mountpoint: string; readonly why: string }[];
}

/**
 * All mounts of layers that use a cache directory, in whatever namespace, and those by the kernel's overlay and stores whose
 * server was killed. Left are stores that are served, since podman has images there, and dead mounts by fuse-overlayfs, which
 * can be podman's. Throws CRFS_UNREACHABLE.
 */
export async function allMounts(cache: string): Promise<AllMounts> {
  const status = await askStatus();
  const known = status?.mounts ?? [];
  const unknown = mountsWithoutDaemon(cache, status && serversOf(status));
  const waiting = unknown.filter(({ pid }) => !isStore(pid));
  const here = mountsOf();
  const dead = deadMounts();
  const paths = [...known, ...waiting, ...dead.filter(({ driver }) => driver !== HOST)]
    .map(({ mountpoint }) => mountpoint)
    .filter((path) => path.startsWith('/'));
  const place = (path: string): number => here.findLastIndex((mount) => mount.path === path);
  const left = [
    ...storesWith(cache).map(({ mountpoint }) => ({ mountpoint, why: 'is a store' })),
    ...dead
      .filter(({ driver }) => driver === HOST)
      .map(({ mountpoint }) => ({ mountpoint, why: `is dead, and by ${HOST}, which others use, too` })),
  ];
  return { paths: paths.sort((a, b) => place(b) - place(a)), left };
}
