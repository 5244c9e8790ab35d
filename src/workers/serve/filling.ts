// SPDX-License-Identifier: GPL-3.0-or-later

import type { Run } from '../messages.js';
import type { Draft } from './draft.js';
import type { ServedLayer } from './served-layer.js';
import type { ObjectFacts } from './store.js';

/** One worker's part in a job: filling chunks of a file. */
export class Filling implements ObjectFacts {
  readonly job: number;
  readonly layer: ServedLayer;
  readonly inode: number;
  /** The chunks of the job, counted from the layer's first. */
  readonly first: number;
  readonly count: number;
  /** The draft, where the chunks are read one by one; else the file is filled in one of the job's own. */
  draft: Draft | undefined;
  /** This worker's own descriptor of either, which goes with it if it dies; -1: it has none. */
  fd = -1;

  constructor(job: number, layer: ServedLayer, { inode, first, count }: Run) {
    this.job = job;
    this.layer = layer;
    this.inode = inode;
    this.first = layer.index.chunkFirst(inode) + first;
    this.count = count;
  }

  get chunks(): number {
    return this.layer.index.chunkCount(this.inode);
  }

  get size(): number {
    return this.layer.index.size(this.inode);
  }

  get objectName(): string {
    return this.layer.index.objectName(this.inode);
  }
}
