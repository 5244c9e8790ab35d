// SPDX-License-Identifier: GPL-3.0-or-later

import { plugin } from '../paths.js';

/** Who serves the lower directories of a fuse-overlayfs. */
export interface Contender {
  readonly name: string;
  /** The plugin to load; none: the lower directory is the extracted tree. */
  readonly plugin?: string;
  /** Settings of the daemon, as environment variables. */
  readonly settings?: Readonly<Record<string, string>>;
  /** It is the product: its daemon tells a status, and what it caches is where we know. */
  readonly ours: boolean;
}

/** The floor: what fuse-overlayfs costs by itself. */
export const extracted: Contender = { name: 'extracted tree', ours: false };

export const product: Contender = { name: 'crfs-plugin', plugin, ours: true };

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
  return { name, plugin: path, settings: leave, ours: false };
}
