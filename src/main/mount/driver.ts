// SPDX-License-Identifier: GPL-3.0-or-later

/** What mounts layers: the kernel's overlay over what crfs-lower serves, or fuse-overlayfs with the plugin. */

import { type MountPoint, mountedAt } from '../daemon/mountinfo.js';
import { HOST } from './host.js';
import { LOWER } from './lower.js';

export const DRIVERS = ['overlay', HOST] as const;
export type Driver = (typeof DRIVERS)[number];

/** What of ours can be mounted: layers by a driver, or a store of them. */
export type Kind = Driver | 'store';

/** By which driver something is mounted; undefined: it is no mount of layers, or of fuse-overlayfs, and no store. */
export function driverOf({ type, source }: MountPoint): Kind | undefined {
  if (type === `fuse.${HOST}`) return HOST;
  if (type === 'fuse.crfs' && source === 'crfs') return 'store';
  return type === 'overlay' && source === 'crfs' ? 'overlay' : undefined;
}

/** By which driver layers are mounted at an absolute path, or that a store is; undefined: nothing of ours. */
export function driverAt(mountpoint: string): Kind | undefined {
  const mount = mountedAt(mountpoint);
  return mount && driverOf(mount);
}

/** Whether a process of this name serves mounts of a kind. */
export function serves(name: string, kind: Kind): boolean {
  return name === (kind === HOST ? HOST : LOWER);
}

/** Whether a process of this name serves a mount of layers. */
export function isServer(name: string): boolean {
  return name === HOST || name === LOWER;
}
