// SPDX-License-Identifier: GPL-3.0-or-later

import { WordRows } from './word-rows.js';

const WORKER_JOB = 0; // 1 + job; 0: none
const WORKER_ANSWERING = 1; // list of waiters of a job that it has ended
const WORKER_AHEAD = 2; // 1: it fills what nobody waits for
const WORKER_REQUEST = 3; // what `take` of the addon fills in, ring and position first
const WORKER_WORDS = 10;
const NO_RING = -1;

/** What each worker owes: written by itself, and read by whoever reclaims it when it has died. */
export class WorkerRows {
  readonly #rows: WordRows;

  /** In the words from `base`, as many as `WorkerRows.words(count)` says. */
  constructor(words: Int32Array, base: number, count: number) {
    this.#rows = new WordRows(words, base, WORKER_WORDS, count);
  }

  static words(count: number): number {
    return count * WORKER_WORDS;
  }

  get count(): number {
    return this.#rows.count;
  }

  /** A worker that owes nothing. */
  reset(worker: number): void {
    this.#rows.clear(worker);
    this.clearRequest(worker);
  }

  /** The job that a worker is in; -1: none. */
  job(worker: number): number {
    return this.#rows.load(worker, WORKER_JOB) - 1;
  }

  setJob(worker: number, job: number): void {
    this.#rows.store(worker, WORKER_JOB, job + 1);
  }

  /** The waiters whom it is about to answer. */
  answering(worker: number): number {
    return this.#rows.load(worker, WORKER_ANSWERING);
  }

  setAnswering(worker: number, list: number): void {
    this.#rows.store(worker, WORKER_ANSWERING, list);
  }

  /** Workers that fill what nobody waits for. */
  get ahead(): number {
    let ahead = 0;
    for (let worker = 0; worker < this.count; worker++) ahead += this.#rows.load(worker, WORKER_AHEAD);
    return ahead;
  }

  setAhead(worker: number, ahead: boolean): void {
    this.#rows.store(worker, WORKER_AHEAD, ahead ? 1 : 0);
  }

  /** Where the addon's `take` writes the request that a worker takes. */
  request(worker: number): Uint32Array {
    return this.#rows.tail(worker, WORKER_REQUEST);
  }

  /** The request that it took and has neither answered nor handed on. */
  taken(worker: number): { ring: number; position: number } | undefined {
    const ring = this.#rows.load(worker, WORKER_REQUEST);
    return ring === NO_RING ? undefined : { ring, position: this.#rows.load(worker, WORKER_REQUEST + 1) };
  }

  clearRequest(worker: number): void {
    this.#rows.store(worker, WORKER_REQUEST, NO_RING);
  }
}
