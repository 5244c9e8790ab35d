// SPDX-License-Identifier: GPL-3.0-or-later

import { INFLATE_LIMIT } from '../formats/deflate-limit.js';
import type { Entry, EntryType } from '../formats/entry.js';
import { LayerFault } from '../formats/fault.js';
import { Contents } from './contents.js';
import { Links } from './links.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from './modes.js';
import { Tree } from './tree.js';
import { Xattrs } from './xattrs.js';

const FORMATS: Readonly<Record<Exclude<EntryType, 'chunk'>, number>> = {
  dir: S_IFDIR,
  reg: S_IFREG,
  symlink: S_IFLNK,
  hardlink: 0,
  char: S_IFCHR,
  block: S_IFBLK,
  fifo: S_IFIFO,
};

/** Each entry has a header of its own in the layer's tar. */
const TAR_HEADER_BYTES = 512;

const PREFETCH = '.prefetch.landmark';
const NO_PREFETCH = '.no.prefetch.landmark';

/** All that a TOC tells, taken in entry by entry. */
export class LayerTree {
  readonly tree = new Tree();
  readonly links = new Links(this.tree);
  readonly xattrs = new Xattrs(this.tree.strings);
  readonly contents: Contents;
  /** Bytes of the blob that are wanted at start. */
  prefetchEnd = 0;
  #prefetchWanted = true;
  readonly #tocOffset: number;
  #entries = 0;

  constructor(tocOffset: number, blobIdentity: string) {
    this.#tocOffset = tocOffset;
    this.contents = new Contents(this.tree.nodes, tocOffset, blobIdentity);
  }

  /** Takes the next entry of the TOC. Throws LayerFault if it does not fit to those before it. */
  add(entry: Entry): void {
    this.#entries++;
    if (this.#entries * TAR_HEADER_BYTES > this.#tocOffset * INFLATE_LIMIT) {
      throw new LayerFault(`the TOC lists more entries than ${this.#tocOffset} bytes of content can hold`);
    }
    if (entry.type === 'chunk') {
      this.contents.addChunk(entry);
    } else if (entry.path === PREFETCH || entry.path === NO_PREFETCH) {
      this.#addLandmark(entry);
    } else if (entry.type === 'hardlink') {
      this.links.add(entry.path, entry.link);
    } else {
      this.#addNode(entry, FORMATS[entry.type]);
    }
  }

  /** No entry follows. Throws LayerFault where something was left open. */
  end(): void {
    this.contents.close();
    this.links.resolve();
    if (!this.#prefetchWanted) {
      this.prefetchEnd = 0;
    }
  }

  #addLandmark(entry: Entry): void {
    this.contents.addOffset(entry.offset);
    if (entry.path === PREFETCH) {
      this.prefetchEnd = entry.offset;
    } else {
      this.#prefetchWanted = false;
    }
  }

  #addNode(entry: Entry, format: number): void {
    if (entry.path === '' && format !== S_IFDIR) {
      throw new LayerFault(`the root is of type ${entry.type}, not dir`);
    }
    const { nodes } = this.tree;
    const node = this.tree.put(entry.path, format);
    nodes.mode.at[node] = format | (format === S_IFLNK ? 0o777 : entry.mode);
    nodes.uid.at[node] = entry.uid;
    nodes.gid.at[node] = entry.gid;
    nodes.mtimeSec.at[node] = entry.modtime.seconds;
    nodes.mtimeNsec.at[node] = entry.modtime.nanoseconds;
    this.#addXattrs(node, entry);
    if (format === S_IFREG) {
      this.contents.addFile(node, entry);
    } else if (format === S_IFLNK) {
      const target = Buffer.from(entry.link);
      nodes.first.at[node] = this.tree.strings.add(target);
      nodes.size.at[node] = target.length;
    } else if (format === S_IFCHR || format === S_IFBLK) {
      nodes.first.at[node] = entry.devMajor;
      nodes.length.at[node] = entry.devMinor;
    }
  }

  #addXattrs(node: number, { xattrs }: Entry): void {
    const { nodes } = this.tree;
    nodes.xattrFirst.at[node] = this.xattrs.count;
    nodes.xattrCount.at[node] = xattrs.length;
    for (const xattr of xattrs) {
      this.xattrs.add(xattr);
    }
  }

  release(): void {
    this.tree.release();
    this.links.release();
    this.xattrs.release();
    this.contents.release();
  }
}
