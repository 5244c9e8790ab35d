// SPDX-License-Identifier: GPL-3.0-or-later

/** Where servers of layers have mounted: crfs-lower is in a mount namespace of its own, and not in that of its mount. */

import { mountsOf } from '../daemon/mountinfo.js';
import { linkOf, look } from '../daemon/processes.js';
import { argumentsOf, environmentOf, processes } from './processes.js';

/** The mount namespace in which a server has mounted, as readlink tells of /proc/PID/ns/mnt. */
export function namespaceOf(pid: number): string | undefined {
  return environmentOf(pid)['CRFS_MOUNT_NAMESPACE'] ?? linkOf(pid, 'ns/mnt');
}

/** A process in a mount namespace. */
export function entranceOf(namespace: string | null | undefined): number | undefined {
  if (namespace === linkOf('self', 'ns/mnt')) return process.pid;
  return processes().find(({ pid }) => linkOf(pid, 'ns/mnt') === namespace)?.pid;
}

/** Whether anything is mounted at a path, as a process sees it; undefined: nobody can tell. */
export function hasAt(entrance: number, mountpoint: string): boolean | undefined {
  return look(() => mountsOf(entrance))?.some(({ path }) => path === mountpoint);
}

/** Whether what a server has mounted is still there: it goes on for a moment when that has been taken away. */
export function hasMount(pid: number): boolean {
  const mountpoint = argumentsOf(pid).at(-1) ?? '';
  if (!mountpoint.startsWith('/')) return true; // relative to what, nobody can tell any more
  const entrance = entranceOf(namespaceOf(pid));
  return entrance !== undefined && (hasAt(entrance, mountpoint) ?? false);
}
