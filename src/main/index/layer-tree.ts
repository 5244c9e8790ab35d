// SPDX-License-Identifier: GPL-3.0-or-later

import type { Entry } from '../formats/entry.js';
import { NO_PREFETCH_LANDMARK, PREFETCH_LANDMARK } from '../formats/estargz/names.js';
import { LayerFault } from '../formats/fault.js';
import type { Layer } from '../formats/format.js';
import { Contents } from './contents.js';
import { Placement } from './placement.js';
import { Xattrs } from './xattrs.js';

/** Each entry has a header of its own in the layer's tar. */
const TAR_HEADER_BYTES = 512;

/** The memory is looked at once in so many entries. Each is limited in size, so that it cannot grow by much in between. */
const CHECK_EVERY = 32;
/** By how much the memory grows when the index is made out of what was read of the TOC. */
const GROWTH = 1.5;

/** All that a TOC tells, taken in entry by entry. */
export class LayerTree {
  readonly #placement = new Placement();
  readonly tree = this.#placement.tree;
  readonly xattrs = new Xattrs(this.tree.strings);
  readonly contents: Contents;
  /** Bytes [0, prefetchEnd) of the blob are prefetched: those before the landmark. */
  prefetchEnd = 0;
  #prefetchWanted = true;
  readonly #layer: Layer;
  readonly #memoryLimit: number;
  #entries = 0;

  constructor(layer: Layer, blobIdentity: string, memoryLimit: number) {
    this.#layer = layer;
    this.contents = new Contents(this.tree.nodes, layer.contentEnd, blobIdentity);
    this.#memoryLimit = memoryLimit;
    if (layer.points) layer.points.limit = memoryLimit / GROWTH;
  }

  /** Takes the next entry of the TOC. Throws LayerFault if it does not fit to those before it. */
  add(entry: Entry): void {
    this.#entries++;
    if (this.#entries % CHECK_EVERY === 0) this.#checkMemory();
    const { contentEnd, codec } = this.#layer;
    if (this.#entries * TAR_HEADER_BYTES > contentEnd * codec.expansion) {
      throw new LayerFault(`the TOC lists more entries than ${contentEnd} bytes of content can hold`);
    }
    if (entry.type === 'chunk') {
      this.contents.addChunk(entry);
    } else if (entry.path === PREFETCH_LANDMARK || entry.path === NO_PREFETCH_LANDMARK) {
      this.#addLandmark(entry);
    } else {
      const node = this.#placement.add(entry);
      if (entry.type !== 'hardlink') this.#describe(node, entry);
    }
  }

  /** No entry follows. Throws LayerFault where something was left open. */
  end(): void {
    this.#checkMemory();
    this.contents.close();
    this.#placement.end();
    if (!this.#prefetchWanted) {
      this.prefetchEnd = 0;
    }
  }

  /** Throws LayerFault if the index would take more memory than it may. */
  #checkMemory(): void {
    const memory =
      this.#placement.memory + this.xattrs.memory + this.contents.memory + (this.#layer.points?.memory ?? 0);
    if (memory * GROWTH > this.#memoryLimit) {
      throw new LayerFault(`its index takes more than ${this.#memoryLimit} bytes of memory to make: see index-memory`);
    }
  }

  #addLandmark(entry: Entry): void {
    this.contents.addOffset(entry.offset);
    if (entry.path === PREFETCH_LANDMARK) {
      this.prefetchEnd = entry.offset;
    } else {
      this.#prefetchWanted = false;
    }
  }

  #describe(node: number, entry: Entry): void {
    const { nodes } = this.tree;
    nodes.uid.at[node] = entry.uid;
    nodes.gid.at[node] = entry.gid;
    nodes.mtimeSec.at[node] = entry.modtime.seconds;
    nodes.mtimeNsec.at[node] = entry.modtime.nanoseconds;
    this.#addXattrs(node, entry);
    if (entry.type === 'reg') {
      this.contents.addFile(node, entry);
    } else if (nodes.isDevice(node)) {
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
    this.#placement.release();
    this.xattrs.release();
    this.contents.release();
  }
}
