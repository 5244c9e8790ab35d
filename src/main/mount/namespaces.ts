// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts of this user in other mount namespaces: those of `podman unshare` and `unshare -m`. */

import { statSync } from 'node:fs';
import { HOST } from './host.js';
import { mountsOf } from './mountinfo.js';
import { linkOf, look, type Process, processes } from './processes.js';

/** A process in whose mount namespace, another than this process's, fuse-overlayfs is mounted at a path: its own, if it is there. */
export function elsewhere(mountpoint: string): Process | undefined {
  const namespaces = new Map<string, Process>();
  for (const other of processes()) {
    const namespace = linkOf(other.pid, 'ns/mnt');
    if (namespace === undefined || namespace === linkOf('self', 'ns/mnt') || !isOurs(other)) continue;
    if (other.name === HOST || !namespaces.has(namespace)) namespaces.set(namespace, other);
  }
  return [...namespaces.values()].find(({ pid }) => {
    const mounts = look(() => mountsOf(pid)) ?? [];
    return mounts.findLast(({ path }) => path === mountpoint)?.type === `fuse.${HOST}`;
  });
}

function isOurs({ pid }: Process): boolean {
  return look(() => statSync(`/proc/${pid}`).uid) === process.geteuid?.();
}

/** The command that runs another one as a process's user, in its namespaces. */
export function enter(pid: number): string[] {
  const sameUser = linkOf(pid, 'ns/user') === linkOf('self', 'ns/user');
  return ['nsenter', '--target', String(pid), '--mount', ...(sameUser ? [] : ['--user', '--preserve-credentials'])];
}
