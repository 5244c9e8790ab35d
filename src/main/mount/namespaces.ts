// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts of this user in other mount namespaces: those of `podman unshare` and `unshare -m`. */

import { askStatus } from '../daemon/ask.js';
import { linkOf } from '../daemon/processes.js';
import type { Kind } from './driver.js';
import { entranceOf, namespaceOf } from './entrance.js';
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
}

/** What serves a mount at this path in another mount namespace; undefined: nothing does. */
export async function serverElsewhere(mountpoint: string): Promise<Elsewhere | undefined> {
  const own = linkOf('self', 'ns/mnt');
  for (const { pid, name } of processes()) {
    const driver = name === HOST ? HOST : name === LOWER ? 'overlay' : undefined;
    if (driver === undefined || !isOurs(pid) || argumentsOf(pid).at(-1) !== mountpoint) continue;
    const kind = isStore(pid) ? 'store' : driver;
    const namespace = namespaceOf(pid);
    if (namespace !== undefined && namespace !== own) return { pid, kind, entrance: entranceOf(namespace) ?? pid };
  }
  const status = await askStatus();
  const known = status?.mounts.find((one) => one.mountpoint === mountpoint && (one.mountNamespace ?? own) !== own);
  return known && { pid: known.pid, kind: known.driver, entrance: entranceOf(known.mountNamespace) ?? known.pid };
}

/** The command that runs another one in the namespaces of a process, as its user. */
export function enter(pid: number): string[] {
  const sameUser = linkOf(pid, 'ns/user') === linkOf('self', 'ns/user');
  return ['nsenter', '--target', String(pid), '--mount', ...(sameUser ? [] : ['--user', '--preserve-credentials'])];
}
