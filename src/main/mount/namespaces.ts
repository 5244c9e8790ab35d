// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts of this user in other mount namespaces: those of `podman unshare` and `unshare -m`. */

import { askStatus } from '../daemon/ask.js';
import { linkOf } from '../daemon/processes.js';
import type { Kind } from './driver.js';
import { entranceOf, hasAt, namespaceOf } from './entrance.js';
import { HOST } from './host.js';
import { isOurs, isStore } from './hosts.js';
import { LOWER } from './lower.js';
import { argumentsOf, processes } from './processes.js';

export interface Elsewhere {
  /** The process that serves the mount. */
  readonly pid: number;
  readonly kind: Kind;
  /** A process in the namespace of the mount: the server of the kernel's overlay is in one of its own. */
  readonly entrance: number;
  /** Its mount is still at its place there, or nobody can tell. */
  readonly isThere: boolean;
}

/**
 * What serves a mount at this path in another mount namespace; undefined: nothing does. Where one goes on whose mount has been
 * taken away, since it is in use or about to end, another one comes first.
 */
export async function serverElsewhere(mountpoint: string): Promise<Elsewhere | undefined> {
  const own = linkOf('self', 'ns/mnt');
  const found = processes().flatMap(({ pid, name }): Elsewhere[] => {
    const driver = name === HOST ? HOST : name === LOWER ? 'overlay' : undefined;
    if (driver === undefined || !isOurs(pid) || argumentsOf(pid).at(-1) !== mountpoint) return [];
    const namespace = namespaceOf(pid);
    if (namespace === undefined || namespace === own) return [];
    return [elsewhere(mountpoint, { pid, kind: isStore(pid) ? 'store' : driver }, namespace)];
  });
  const one = found.find(({ isThere }) => isThere) ?? found[0];
  if (one !== undefined) return one;
  const status = await askStatus();
  const known = status?.mounts.find((each) => each.mountpoint === mountpoint && (each.mountNamespace ?? own) !== own);
  return known && elsewhere(mountpoint, { pid: known.pid, kind: known.driver }, known.mountNamespace ?? '');
}

function elsewhere(mountpoint: string, server: Pick<Elsewhere, 'pid' | 'kind'>, namespace: string): Elsewhere {
  const entrance = entranceOf(namespace) ?? server.pid;
  const isSeen = linkOf(entrance, 'ns/mnt') === namespace;
  return { ...server, entrance, isThere: (isSeen ? hasAt(entrance, mountpoint) : undefined) ?? true };
}

/** The command that runs another one in the namespaces of a process, as its user. */
export function enter(pid: number): string[] {
  const sameUser = linkOf(pid, 'ns/user') === linkOf('self', 'ns/user');
  return ['nsenter', '--target', String(pid), '--mount', ...(sameUser ? [] : ['--user', '--preserve-credentials'])];
}
