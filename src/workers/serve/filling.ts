// SPDX-License-Identifier: GPL-3.0-or-later

import { RunningDigest } from './running-digest.js';
import type { ServedLayer } from './served-layer.js';

/** One worker's part in filling a file. */
export class Filling {
  readonly job: number;
  readonly layer: ServedLayer;
  readonly inode: number;
  /** This worker's own descriptor of the draft, which goes with it if it dies; -1: it has none. */
  fd = -1;
  /** Takes the chunks of this worker along, where the file has a digest over several. */
  readonly running: RunningDigest | undefined;

  constructor(job: number, layer: ServedLayer, inode: number) {
    this.job = job;
    this.layer = layer;
    this.inode = inode;
    const hasDigestOverAll = this.chunks > 1 && layer.index.hasDigest(inode);
    this.running = hasDigestOverAll ? new RunningDigest() : undefined;
  }

  /** The file's first chunk, in the layer. */
  get first(): number {
    return this.layer.index.chunkFirst(this.inode);
  }

  /** Chunks of the file. */
  get chunks(): number {
    return this.layer.index.chunkCount(this.inode);
  }

  /** Bytes of the file. */
  get size(): number {
    return this.layer.index.size(this.inode);
  }

  get objectName(): string {
    return this.layer.index.objectName(this.inode);
  }

  /** The sha256 of the file's content, where it has one. */
  get digest(): Uint8Array | undefined {
    return this.layer.index.hasDigest(this.inode) ? this.layer.index.keyBytes(this.inode) : undefined;
  }
}
