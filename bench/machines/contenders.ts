// SPDX-License-Identifier: GPL-3.0-or-later

import { lower, plugin } from '../paths.js';

/** Who mounts, and who serves the lower directories. */
export interface Contender {
  readonly name: string;
  /** What mounts: fuse-overlayfs, or the kernel's overlay. */
  readonly driver: 'fuse-overlayfs' | 'overlay';
  /**
   * What serves layers: a plugin of fuse-overlayfs, or crfs-lower to the kernel's overlay; none: the lower directory is the
   * extracted tree.
   */
  readonly frontEnd?: string;
  /** Settings of the daemon, as environment variables. */
  readonly settings?: Readonly<Record<string, string>>;
  /** It is the product: its daemon tells a status, and what it caches is where we know. */
  readonly ours: boolean;
}

/** The floor: what fuse-overlayfs costs by itself. */
export const extracted: Contender = { name: 'extracted tree', driver: 'fuse-overlayfs', ours: false };

export const product: Contender = { name: 'crfs-plugin', driver: 'fuse-overlayfs', frontEnd: plugin, ours: true };

/** The floor of the kernel's overlay: what a container has whose image was pulled and unpacked. */
export const extractedByKernel: Contender = {
  name: "kernel's overlay, extracted tree",
  driver: 'overlay',
  ours: false,
};

export const productByKernel: Contender = {
  name: "kernel's overlay, crfs-lower",
  driver: 'overlay',
  frontEnd: lower,
  ours: true,
};

/** The product with other settings than by default. */
export function tuned(name: string, settings: Readonly<Record<string, string>>): Contender {
  return { ...product, name: `crfs-plugin, ${name}`, settings };
}

/** For a peer that is another build of the product: we do not end its daemon. */
const leave = { CRFS_IDLE_TIMEOUT: '5' };

/** Another plugin, given as `NAME=/path/plugin.so`. */
export function peer(given: string): Contender {
  const at = given.indexOf('=');
  const [name, path] = [given.slice(0, at), given.slice(at + 1)];
  if (at < 1 || !path.startsWith('/')) throw new Error(`--peer ${given}: write NAME=/path/plugin.so`);
  return { name, driver: 'fuse-overlayfs', frontEnd: path, settings: leave, ours: false };
}
