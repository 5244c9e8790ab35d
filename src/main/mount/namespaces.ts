// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts of this user in other mount namespaces: those of `podman unshare` and `unshare -m`. */

import { askDaemon } from '../daemon/ask.js';
import { linkOf } from '../daemon/processes.js';
import type { Status } from '../daemon/status.js';
import { HOST } from './host.js';
import { isOurs } from './hosts.js';
import { argumentsOf, processes } from './processes.js';

/** The process that serves a mount at this path in another mount namespace; undefined: there is none. */
export async function hostElsewhere(mountpoint: string): Promise<number | undefined> {
  const own = linkOf('self', 'ns/mnt');
  const isElsewhere = (namespace?: string | null): boolean => namespace !== own && typeof namespace === 'string';
  const host = processes().find(({ pid, name }) => {
    return name === HOST && isOurs(pid) && argumentsOf(pid).at(-1) === mountpoint && isElsewhere(linkOf(pid, 'ns/mnt'));
  });
  if (host !== undefined) return host.pid;
  const { mounts } = JSON.parse((await askDaemon('GET', '/status')) ?? '{"mounts":[]}') as Pick<Status, 'mounts'>;
  return mounts.find((one) => one.mountpoint === mountpoint && isElsewhere(one.mountNamespace))?.pid;
}

/** The command that runs another one in the namespaces of a process, as its user. */
export function enter(pid: number): string[] {
  const sameUser = linkOf(pid, 'ns/user') === linkOf('self', 'ns/user');
  return ['nsenter', '--target', String(pid), '--mount', ...(sameUser ? [] : ['--user', '--preserve-credentials'])];
}
