// SPDX-License-Identifier: GPL-3.0-or-later

import type { IndexReader } from './reader.js';

/** The index of a layer, and where the TOC begins in the blob: all members end before it. */
export interface PlacedIndex {
  readonly index: IndexReader;
  readonly tocOffset: number;
}

/** Where what a chunk is decoded from lies in the blob, in bytes. Nowhere, where the chunk is zeros: both are the same. */
export function spanOf({ index, tocOffset }: PlacedIndex, chunk: number): [offset: number, end: number] {
  return [index.chunkOffset(chunk), Math.min(index.chunkEnd(chunk), tocOffset)];
}
