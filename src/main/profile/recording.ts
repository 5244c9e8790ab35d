// SPDX-License-Identifier: GPL-3.0-or-later

import { type PlacedIndex, spanOf } from '../index/span.js';
import { MOST_RUNS, type Profile, type ProfiledRun } from './profile.js';

/** A layer of the image that is started. */
export interface StartedLayer extends PlacedIndex {
  /** Its number in requests. */
  readonly number: number;
  /** Of its blob. */
  readonly digest: string;
}

/** Chunks of a file, counted from its first. */
export interface FileRun {
  readonly layer: number;
  readonly inode: number;
  readonly first: number;
  readonly count: number;
}

const EXECUTABLE = 0o111;
/** A start that reads more of them is recorded up to here. */
const MOST_CHUNKS = 65_536;

/** What a start reads, noted as it goes on: each chunk once, with the time when it was first asked for. */
export class Recording {
  readonly #image: string;
  readonly #layers: readonly StartedLayer[];
  readonly #began: Date;
  readonly #runs: (ProfiledRun & { readonly isProgram: boolean })[] = [];
  readonly #noted = new Set<string>();
  readonly #files = new Set<string>();

  /** `layers`: all of the image, the base first. */
  constructor(image: string, layers: readonly StartedLayer[]) {
    this.#image = image;
    this.#layers = layers;
    this.#began = new Date();
  }

  /** Files of which something was read. */
  get files(): number {
    return this.#files.size;
  }

  get isFull(): boolean {
    return this.#runs.length >= MOST_RUNS || this.#noted.size >= MOST_CHUNKS;
  }

  /**
   * A file was read at this time, in ms of any clock, by numbers that may be anything. Of one that is filled chunk by chunk, it
   * is not known what: where nothing was heard of it, that is taken to be its beginning. Returns what of this is new.
   */
  opened(number: number, inode: number, at: number): FileRun | undefined {
    const index = this.#layer(number)?.index;
    if (index === undefined || inode >= index.inodes || !index.isFile(inode)) return undefined;
    const all = index.chunkCount(inode);
    const isChunked = all > 1 && !index.isCheckedWhole(inode);
    if (isChunked && this.#files.has(`${number} ${inode}`)) return undefined;
    return this.asked({ layer: number, inode, first: 0, count: isChunked ? 1 : all }, at);
  }

  /** Chunks of a file were asked for. Returns what of them is new. */
  asked({ layer: number, inode, first, count }: FileRun, at: number): FileRun | undefined {
    const layer = this.#layer(number);
    if (layer === undefined) return undefined;
    let from = first;
    let end = first + Math.min(count, MOST_CHUNKS - this.#noted.size);
    const isNoted = (chunk: number): boolean => this.#noted.has(`${number} ${inode} ${chunk}`);
    while (from < end && isNoted(from)) from++;
    while (end > from && isNoted(end - 1)) end--;
    if (from >= end || this.isFull) return undefined;
    const run = { layer: number, inode, first: from, count: end - from };
    for (let chunk = from; chunk < end; chunk++) this.#noted.add(`${number} ${inode} ${chunk}`);
    this.#files.add(`${number} ${inode}`);
    const isProgram = (layer.index.mode(inode) & EXECUTABLE) !== 0;
    const place = this.#layers.indexOf(layer);
    const path = layer.index.path(inode);
    this.#runs.push({ layer: place, path, first: from, count: run.count, bytes: bytesOf(layer, run), at, isProgram });
    return run;
  }

  /** What was read so far; undefined: nothing. */
  profile(): Profile | undefined {
    const order = this.#runs.toSorted((a, b) => a.at - b.at);
    const start = order[0]?.at;
    const program = order.find(({ isProgram }) => isProgram)?.path;
    if (start === undefined) return undefined;
    return {
      image: this.#image,
      recorded: this.#began.toISOString(),
      program: program === undefined ? null : `/${program}`,
      layers: this.#layers.map(({ digest }) => digest),
      order: order.map(({ layer, path, first, count, bytes, at }) => {
        return { layer, path, first, count, bytes, at: Math.round(at - start) };
      }),
    };
  }

  #layer(number: number): StartedLayer | undefined {
    return this.#layers.find((layer) => layer.number === number);
  }
}

/** Bytes that chunks of a file take in the blob. */
export function bytesOf(layer: PlacedIndex, run: FileRun): number {
  const first = layer.index.chunkFirst(run.inode) + run.first;
  let bytes = 0;
  for (let chunk = first; chunk < first + run.count; chunk++) {
    const [offset, end] = spanOf(layer, chunk);
    bytes += end - offset;
  }
  return bytes;
}
