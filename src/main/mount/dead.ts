// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts that nobody serves any more: what served them was killed, and who looks for something new in them gets ENOTCONN. */

import { basename } from 'node:path';
import { mountsOf } from '../daemon/mountinfo.js';
import { driverOf, isServer, type Kind, serves } from './driver.js';
import { mountpointOf } from './mountpoint.js';
import { argumentsOf, processes } from './processes.js';

export interface DeadMount {
  readonly mountpoint: string;
  readonly driver: Kind;
}

/**
 * Those in this mount namespace, whoever has made them. None is touched. A mount that is bound to a second place is served
 * there as well: what is mounted at the place that its server was told of tells which mount that is.
 */
export function deadMounts(): DeadMount[] {
  const mounts = [...new Map(mountsOf().map((mount) => [mount.path, mount])).values()] // the last one at each place
    .flatMap((mount) => {
      const driver = driverOf(mount);
      return driver === undefined ? [] : [{ ...mount, driver }];
    });
  if (mounts.length === 0) return [];
  const servers = processes()
    .filter(({ name }) => isServer(name))
    .map(({ pid, name }) => ({ name, path: argumentsOf(pid).at(-1) ?? '' }));
  const served = new Set(
    mounts
      .filter((mount) => servers.some(({ name, path }) => serves(name, mount.driver) && isAt(path, mount.path)))
      .map(({ device }) => device),
  );
  return mounts.filter(({ device }) => !served.has(device)).map(({ path, driver }) => ({ mountpoint: path, driver }));
}

/** Whether what was mounted at `path`, as its server was told, can be at a mountpoint. */
function isAt(path: string, mountpoint: string): boolean {
  if (path === mountpoint) return true;
  if (path.startsWith('/')) return mountpointOf(path) === mountpoint;
  return basename(path) === basename(mountpoint); // relative to what, nobody can tell any more
}
