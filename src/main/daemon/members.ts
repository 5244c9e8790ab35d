// SPDX-License-Identifier: GPL-3.0-or-later

import { type PlacedIndex, spanOf } from '../index/span.js';

/** What chunks are decoded from, as far as it lies in a range of the blob. */
export interface Member {
  /** The chunks [first, end) of the layer. */
  readonly first: number;
  readonly end: number;
  /** The file of the first of them. */
  readonly inode: number;
  readonly bytes: number;
}

/** Members that lie in the bytes [offset, end) of a blob, or reach into them. */
export function* membersIn(layer: PlacedIndex, offset: number, end: number): Generator<Member> {
  const { index } = layer;
  let chunk = Math.max(0, index.chunkAt(offset) - 1); // one that began before
  while (chunk < index.chunks && index.chunkOffset(chunk) < end) {
    const first = chunk;
    const [from, to] = spanOf(layer, first);
    do chunk++;
    while (chunk < index.chunks && index.chunkOffset(chunk) === from);
    const bytes = Math.min(to, end) - Math.max(from, offset);
    if (bytes > 0) yield { first, end: chunk, inode: index.chunkInode(first), bytes };
  }
}
