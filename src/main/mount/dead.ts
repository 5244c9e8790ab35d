// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts that nobody serves any more: what served them was killed, and who looks for something new in them gets ENOTCONN. */

import { basename } from 'node:path';
import { mountedAt, mountsOf } from '../daemon/mountinfo.js';
import { driverOf, isServer, type Kind, serves } from './driver.js';
import { mountpointOf } from './mountpoint.js';
import { argumentsOf, processes } from './processes.js';

export interface DeadMount {
  readonly mountpoint: string;
  readonly driver: Kind;
}

/** Those in this mount namespace, whoever has made them. None is touched. */
export function deadMounts(): DeadMount[] {
  const paths = [...new Set(mountsOf().map(({ path }) => path))];
  const mounts = paths.flatMap((mountpoint) => {
    const mount = mountedAt(mountpoint);
    const driver = mount && driverOf(mount);
    return driver === undefined ? [] : [{ mountpoint, driver }];
  });
  if (mounts.length === 0) return [];
  const servers = processes()
    .filter(({ name }) => isServer(name))
    .map(({ pid, name }) => ({ name, path: argumentsOf(pid).at(-1) ?? '' }));
  return mounts.filter(
    ({ mountpoint, driver }) => !servers.some(({ name, path }) => serves(name, driver) && isAt(path, mountpoint)),
  );
}

/** Whether what was mounted at `path`, as its server was told, can be at a mountpoint. */
function isAt(path: string, mountpoint: string): boolean {
  if (path === mountpoint) return true;
  if (path.startsWith('/')) return mountpointOf(path) === mountpoint;
  return basename(path) === basename(mountpoint); // relative to what, nobody can tell any more
}
