// SPDX-License-Identifier: GPL-3.0-or-later

import type { Entry, EntryType } from '../formats/entry.js';
import { LayerFault } from '../formats/fault.js';
import { Links } from './links.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from './modes.js';
import { Tree } from './tree.js';

const FORMATS: Readonly<Record<Exclude<EntryType, 'chunk' | 'hardlink'>, number>> = {
  dir: S_IFDIR,
  reg: S_IFREG,
  symlink: S_IFLNK,
  char: S_IFCHR,
  block: S_IFBLK,
  fifo: S_IFIFO,
};

/**
 * Where the entries of a layer land when they are put there one after the other, as an extraction does. What a mount shows
 * comes out of it, and conversions ask it what mounts can show: so the two never disagree.
 */
export class Placement {
  readonly tree = new Tree();
  readonly links = new Links(this.tree);

  /**
   * Puts an entry that is no chunk; returns its node, or -1 for a hardlink that is there already.
   * Throws LayerFault if it does not fit to those before it.
   */
  add(entry: Entry): number {
    const { type, path, link, mode } = entry;
    if (type === 'hardlink') return this.links.add(path, link);
    const format = FORMATS[type as keyof typeof FORMATS];
    if (path === '' && format !== S_IFDIR) throw new LayerFault(`the root is of type ${type}, not dir`);
    const node = this.tree.put(path, format);
    this.tree.nodes.mode.at[node] = format | (format === S_IFLNK ? 0o777 : mode);
    if (format === S_IFLNK) this.tree.setTarget(node, link);
    return node;
  }

  /** No entry follows. Throws LayerFault for a hardlink that leads nowhere. */
  end(): void {
    this.tree.dropRemoved();
    this.links.resolve();
  }

  get memory(): number {
    return this.tree.memory + this.links.memory;
  }

  release(): void {
    this.tree.release();
    this.links.release();
  }
}
