// SPDX-License-Identifier: GPL-3.0-or-later

import type { Run } from '../messages.js';
import type { ServedLayer } from './served-layer.js';

/** A request of a mount, as it was taken: none of its numbers is checked. */
export interface Request {
  readonly ring: number;
  readonly position: number;
  readonly run: Run;
  /** Whoever asks does not wait for a network. */
  readonly isQuick: boolean;
}

/** The chunks that a request means: those that it names, or all of the file where they are of no use by themselves. */
export function wantedOf(layer: ServedLayer, { inode, first, count }: Run): Run | undefined {
  if (!layer.hasContent(inode)) return undefined;
  const chunks = layer.index.chunkCount(inode);
  if (first + count > chunks || count === 0) return undefined;
  return { layer: layer.number, inode, ...(layer.isChunked(inode) ? { first, count } : { first: 0, count: chunks }) };
}
