// SPDX-License-Identifier: GPL-3.0-or-later

import { spanOf } from '../index/span.js';
import { MOST_RUNS, type Profile, type ProfiledRun } from './profile.js';
import { bytesOf, type FileRun, type StartedLayer } from './recording.js';

/** Bytes of a layer's blob. */
export interface BlobRange {
  /** The layer's number in requests. */
  readonly layer: number;
  readonly offset: number;
  readonly end: number;
}

/** Of a profile that wants more, the beginning counts. */
const MOST_BYTES = 512 << 20;
/** What is wanted within so many bytes, at first, and later on, is fetched in the order of the blobs. */
const FIRST_WINDOW = 512 << 10;
const LARGEST_WINDOW = 4 << 20;
/** What lies so near to each other is fetched together, with what is between. */
const GAP = 64 << 10;
/** An order is wrong if more was read that is not in it than that is, and so much. */
const WRONG_FROM = 8;

/** What is to be fetched for a start, by a profile of an earlier one; and how right that was. */
export class StartOrder {
  /** Files, and bytes of the blobs, that it is about. */
  readonly files: number;
  readonly bytes: number;
  /** To be fetched in this order. */
  readonly ranges: readonly BlobRange[];
  /** What was asked for, by runs of chunks: of this order, and what is not in it. */
  foreseen = 0;
  unforeseen = 0;
  readonly #chunks = new Set<string>();

  /** What of the profile is not in these layers is left out. */
  constructor({ layers: digests, order }: Profile, layers: readonly StartedLayer[]) {
    const byPlace = digests.map((digest) => layers.find((layer) => layer.digest === digest));
    const files = new Set<string>();
    const ranges: BlobRange[] = [];
    let bytes = 0;
    for (const run of order.slice(0, MOST_RUNS)) {
      const layer = byPlace[run.layer];
      const found = layer && locate(run, layer);
      if (layer === undefined || found === undefined || this.#has(found)) continue;
      bytes += bytesOf(layer, found);
      if (bytes > MOST_BYTES) break;
      files.add(`${found.layer} ${found.inode}`);
      for (let chunk = found.first; chunk < found.first + found.count; chunk++) this.#chunks.add(keyOf(found, chunk));
      ranges.push(...rangesOf(found, layer));
    }
    this.files = files.size;
    this.bytes = ranges.reduce((sum, { offset, end }) => sum + end - offset, 0);
    this.ranges = coalesced(ranges);
  }

  /** Chunks were asked for that were not before. */
  note(run: FileRun): void {
    if (this.#has(run)) this.foreseen++;
    else this.unforeseen++;
  }

  get isWrong(): boolean {
    return this.unforeseen >= WRONG_FROM && this.unforeseen > this.foreseen;
  }

  /** Whether it holds one of these chunks. */
  #has(run: FileRun): boolean {
    for (let chunk = run.first; chunk < run.first + run.count; chunk++) {
      if (this.#chunks.has(keyOf(run, chunk))) return true;
    }
    return false;
  }
}

function keyOf({ layer, inode }: FileRun, chunk: number): string {
  return `${layer} ${inode} ${chunk}`;
}

/** Where the layer has what a profile speaks of; undefined: it has none. */
function locate({ path, first, count }: ProfiledRun, { number, index }: StartedLayer): FileRun | undefined {
  const inode = index.find(path);
  if (inode < 0 || !index.isFile(inode)) return undefined;
  const chunks = index.chunkCount(inode);
  if (count === 0 || first + count > chunks) return undefined;
  return { layer: number, inode, ...(index.isCheckedWhole(inode) ? { first: 0, count: chunks } : { first, count }) };
}

/** One range, mostly: chunks of a file need not lie together. */
function rangesOf(run: FileRun, layer: StartedLayer): BlobRange[] {
  const { number, index } = layer;
  const first = index.chunkFirst(run.inode) + run.first;
  return Array.from({ length: run.count }, (_, n) => first + n).flatMap((chunk) => {
    if (index.isZeros(chunk)) return [];
    const [offset, end] = spanOf(layer, chunk);
    return { layer: number, offset, end };
  });
}

/** Few ranges for many: within windows that grow, in the order of the blobs, what is near each other together. */
function coalesced(ranges: readonly BlobRange[]): BlobRange[] {
  const result: BlobRange[] = [];
  let window = FIRST_WINDOW;
  let some: BlobRange[] = [];
  let bytes = 0;
  for (const range of ranges) {
    some.push(range);
    bytes += range.end - range.offset;
    if (bytes < window) continue;
    result.push(...merged(some));
    [some, bytes, window] = [[], 0, Math.min(LARGEST_WINDOW, 2 * window)];
  }
  return [...result, ...merged(some)];
}

function merged(ranges: readonly BlobRange[]): BlobRange[] {
  const result: BlobRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.layer - b.layer || a.offset - b.offset)) {
    const last = result.at(-1);
    if (last === undefined || last.layer !== range.layer || range.offset > last.end + GAP) result.push(range);
    else result[result.length - 1] = { ...last, end: Math.max(last.end, range.end) };
  }
  return result;
}
