// SPDX-License-Identifier: GPL-3.0-or-later

import type { Run } from '../../workers/messages.js';
import { type PlacedIndex, spanOf } from '../index/span.js';
import type { Remote } from './remote.js';

/** A layer whose blob is fetched as it is needed. */
export interface SuppliedLayer extends PlacedIndex {
  /** Its number in requests. */
  readonly number: number;
  readonly name: string;
  readonly remote: Remote;
}

/** Chunks before one that was asked for are taken to be read with it only so far. */
const MOST_BEFORE = 64;

/** Where chunks of a file lie in the blob: one range where they lie together. */
export function rangesOf(layer: SuppliedLayer, run: Omit<Run, 'layer'>): [offset: number, end: number][] {
  const ranges: [number, number][] = [];
  const first = layer.index.chunkFirst(run.inode) + run.first;
  for (let chunk = first; chunk < first + run.count; chunk++) {
    if (layer.index.isZeros(chunk)) continue;
    const [offset, end] = spanOf(layer, chunk);
    const last = ranges.at(-1);
    if (last && last[1] === offset) last[1] = end;
    else ranges.push([offset, end]);
  }
  return ranges;
}

/**
 * The first of the chunks of a file that lie before this one without a gap, and are here, since they came along with something
 * else: nobody hears of who reads them.
 */
export function hereBefore(layer: SuppliedLayer, inode: number, chunk: number): number {
  const ofFile = layer.index.chunkFirst(inode);
  const { blocks } = layer.remote;
  const least = Math.max(0, chunk - MOST_BEFORE);
  const isHere = (one: number): boolean => layer.index.isZeros(one) || blocks.covers(...spanOf(layer, one));
  let first = chunk;
  while (first > least && isHere(ofFile + first - 1)) first--;
  return first;
}
