// SPDX-License-Identifier: GPL-3.0-or-later

/** What mounts layers: the kernel's overlay over what crfs-lower serves, or fuse-overlayfs with the plugin. */

import { type MountPoint, mountedAt } from '../daemon/mountinfo.js';
import { HOST } from './host.js';
import { LOWER } from './lower.js';

export const DRIVERS = ['overlay', HOST] as const;
export type Driver = (typeof DRIVERS)[number];

/** By which driver something is mounted; undefined: it is no mount of layers, or of fuse-overlayfs. */
export function driverOf({ type, source }: MountPoint): Driver | undefined {
  if (type === `fuse.${HOST}`) return HOST;
  return type === 'overlay' && source === 'crfs' ? 'overlay' : undefined;
}

/** By which driver layers are mounted at an absolute path; undefined: by none. */
export function driverAt(mountpoint: string): Driver | undefined {
  const mount = mountedAt(mountpoint);
  return mount && driverOf(mount);
}

/** Whether a process of this name serves a mount of layers. */
export function isServer(name: string): boolean {
  return name === HOST || name === LOWER;
}
