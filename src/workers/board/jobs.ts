// SPDX-License-Identifier: GPL-3.0-or-later

import type { Run } from '../messages.js';
import { WordRows } from './word-rows.js';

const JOB_STATE = 0;
const JOB_LAYER = 1;
const JOB_INODE = 2;
const JOB_CHUNKS = 3; // of the file, from JOB_FIRST on
const JOB_NEXT = 4; // chunks claimed so far; may run past JOB_CHUNKS
const JOB_ERROR = 5; // errno of the first failure
const JOB_ACTIVE = 6; // workers on it
const JOB_SHARED = 7; // 1: open to helpers
const JOB_WAITERS = 8; // list of waiters
const JOB_GENERATION = 9; // the one in which it was created
const JOB_FINAL = 10; // 1: what it reads is not fetched again, however wrong
const JOB_FIRST = 11; // counted from the file's first
const JOB_WORDS = 12;

const FREE = 0;
const OPEN = 1;
const FINISHING = 2;

/** What a worker knows of a job that it is in. */
export interface JobFacts extends Run {
  /** errno of the first failure, or 0. */
  readonly error: number;
  readonly generation: number;
  /** What it reads is not fetched again, however wrong. */
  readonly isFinal: boolean;
}

/**
 * The rows of jobs: runs of chunks of files that are being filled, told by their numbers. Chunks are claimed, and failures noted, by anybody
 * in the job at any time; all else is done under the board's lock.
 */
export class Jobs {
  readonly #rows: WordRows;

  /** In the words from `base`, as many as `Jobs.words(count)` says. */
  constructor(words: Int32Array, base: number, count: number) {
    this.#rows = new WordRows(words, base, JOB_WORDS, count);
  }

  static words(count: number): number {
    return count * JOB_WORDS;
  }

  /** Jobs under way. */
  get busy(): number {
    let busy = 0;
    for (let job = 0; job < this.#rows.count; job++) if (this.#state(job) !== FREE) busy++;
    return busy;
  }

  /** The generation of the oldest job under way; Infinity: there is none. */
  get oldestGeneration(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (let job = 0; job < this.#rows.count; job++) {
      if (this.#state(job) !== FREE) oldest = Math.min(oldest, this.#rows.load(job, JOB_GENERATION));
    }
    return oldest;
  }

  /** A job that fills chunks of a file of a layer, these among them; -1: none does. */
  find({ layer, inode, first, count }: Run): number {
    for (let job = 0; job < this.#rows.count; job++) {
      const isOfFile = this.#rows.load(job, JOB_LAYER) === layer && this.#rows.load(job, JOB_INODE) === inode;
      if (!isOfFile || this.#state(job) === FREE) continue;
      const begin = this.#rows.load(job, JOB_FIRST);
      if (begin <= first && first + count <= begin + this.#rows.load(job, JOB_CHUNKS)) return job;
    }
    return -1;
  }

  /** Writes a free row, with one worker in it; -1: there is none. It stays free until it is opened. */
  prepare({ layer, inode, first, count }: Run, generation: number): number {
    let job = 0;
    while (job < this.#rows.count && this.#state(job) !== FREE) job++;
    if (job === this.#rows.count) return -1;
    this.#rows.clear(job);
    this.#rows.store(job, JOB_LAYER, layer);
    this.#rows.store(job, JOB_INODE, inode);
    this.#rows.store(job, JOB_FIRST, first);
    this.#rows.store(job, JOB_CHUNKS, count);
    this.#rows.store(job, JOB_ACTIVE, 1);
    this.#rows.store(job, JOB_GENERATION, generation);
    return job;
  }

  open(job: number): void {
    this.#rows.store(job, JOB_STATE, OPEN);
  }

  markFinal(job: number): void {
    this.#rows.store(job, JOB_FINAL, 1);
  }

  /** Opens a job to helpers. */
  share(job: number): void {
    this.#rows.store(job, JOB_SHARED, 1);
  }

  /** Enters a job that has chunks to claim; -1: there is none. */
  help(): number {
    for (let job = 0; job < this.#rows.count; job++) {
      if (this.#state(job) !== OPEN || this.#rows.load(job, JOB_SHARED) === 0 || !this.#hasUnclaimed(job)) continue;
      this.#rows.add(job, JOB_ACTIVE, 1);
      return job;
    }
    return -1;
  }

  describe(job: number): JobFacts {
    return {
      layer: this.#rows.load(job, JOB_LAYER),
      inode: this.#rows.load(job, JOB_INODE),
      first: this.#rows.load(job, JOB_FIRST),
      count: this.#rows.load(job, JOB_CHUNKS),
      error: this.#rows.load(job, JOB_ERROR),
      generation: this.#rows.load(job, JOB_GENERATION),
      isFinal: this.#rows.load(job, JOB_FINAL) !== 0,
    };
  }

  /** The next chunk that nobody works on, counted from the file's first; -1: there is none. */
  claim(job: number): number {
    if (!this.#hasUnclaimed(job)) return -1;
    const chunk = this.#rows.add(job, JOB_NEXT, 1);
    return chunk < this.#rows.load(job, JOB_CHUNKS) ? this.#rows.load(job, JOB_FIRST) + chunk : -1;
  }

  /** Leaves nothing to claim. */
  cancel(job: number): void {
    this.#rows.store(job, JOB_NEXT, this.#rows.load(job, JOB_CHUNKS));
  }

  /** The job fails with this errno, unless it already has. */
  fail(job: number, errno: number): void {
    this.#rows.storeFirst(job, JOB_ERROR, errno);
  }

  /** One worker less. Returns whether it was the last one: the job then is finishing. */
  leave(job: number): boolean {
    this.#rows.add(job, JOB_ACTIVE, -1);
    const last = this.#rows.load(job, JOB_ACTIVE) === 0 && !this.#hasUnclaimed(job);
    if (last) this.#rows.store(job, JOB_STATE, FINISHING);
    return last;
  }

  isFinishing(job: number): boolean {
    return this.#state(job) === FINISHING;
  }

  free(job: number): void {
    this.#rows.store(job, JOB_STATE, FREE);
  }

  waiters(job: number): number {
    return this.#rows.load(job, JOB_WAITERS);
  }

  setWaiters(job: number, list: number): void {
    this.#rows.store(job, JOB_WAITERS, list);
  }

  #hasUnclaimed(job: number): boolean {
    return this.#rows.load(job, JOB_ERROR) === 0 && this.#rows.load(job, JOB_NEXT) < this.#rows.load(job, JOB_CHUNKS);
  }

  #state(job: number): number {
    return this.#rows.load(job, JOB_STATE);
  }
}
