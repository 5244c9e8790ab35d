// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readFileSync, statSync } from 'node:fs';
import { blocksOf, type CacheLayout } from '../disk/cache-layout.js';
import { BLOCK } from '../fetch/blocks.js';
import { readIndexedRecord } from './records.js';

/** What the cache has of a layer. */
export interface Presence {
  /** Bytes of its blob. */
  readonly bytes: number;
  /** Its TOC was read, and need not be again. */
  readonly indexed: boolean;
}

/** What is there of the layer with this identity, also while it is being fetched. */
export function presenceOf(layout: CacheLayout, identity: string): Presence {
  const blob = layout.blob(identity);
  const size = statSync(blob, { throwIfNoEntry: false })?.size ?? 0;
  return {
    bytes: Math.min(size, presentBlocks(blocksOf(blob)) * BLOCK),
    indexed: readIndexedRecord(layout, identity) !== undefined,
  };
}

/** A byte for each block: src/main/fetch/blob-file.ts. */
function presentBlocks(map: string): number {
  if (!existsSync(map)) return 0;
  let present = 0;
  for (const block of readFileSync(map)) if (block === 1) present++;
  return present;
}
