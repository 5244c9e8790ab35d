// SPDX-License-Identifier: GPL-3.0-or-later

const WORKER_JOB = 0; // 1 + job; 0: none
const WORKER_ANSWERING = 1; // list of waiters of a job that it has ended
const WORKER_AHEAD = 2; // 1: it fills what nobody waits for
const WORKER_REQUEST = 3; // what `take` of the addon fills in, ring and position first
const WORKER_WORDS = 9;
const NO_RING = -1;

/** What each worker owes: written by itself, and read by whoever reclaims it when it has died. */
export class WorkerRows {
  readonly count: number;
  readonly #words: Int32Array;
  readonly #base: number;

  /** In the words from `base`, as many as `WorkerRows.words(count)` says. */
  constructor(words: Int32Array, base: number, count: number) {
    this.#words = words;
    this.#base = base;
    this.count = count;
  }

  static words(count: number): number {
    return count * WORKER_WORDS;
  }

  /** A worker that owes nothing. */
  reset(worker: number): void {
    const at = this.#at(worker);
    this.#words.fill(0, at, at + WORKER_WORDS);
    this.#words[at + WORKER_REQUEST] = NO_RING;
  }

  /** The job that a worker is in; -1: none. */
  job(worker: number): number {
    return this.#load(worker, WORKER_JOB) - 1;
  }

  setJob(worker: number, job: number): void {
    this.#store(worker, WORKER_JOB, job + 1);
  }

  /** The waiters whom it is about to answer. */
  answering(worker: number): number {
    return this.#load(worker, WORKER_ANSWERING);
  }

  setAnswering(worker: number, list: number): void {
    this.#store(worker, WORKER_ANSWERING, list);
  }

  /** Workers that fill what nobody waits for. */
  get ahead(): number {
    let ahead = 0;
    for (let worker = 0; worker < this.count; worker++) ahead += this.#load(worker, WORKER_AHEAD);
    return ahead;
  }

  setAhead(worker: number, ahead: boolean): void {
    this.#store(worker, WORKER_AHEAD, ahead ? 1 : 0);
  }

  /** Where the addon's `take` writes the request that a worker takes. */
  request(worker: number): Uint32Array {
    const at = this.#at(worker) + WORKER_REQUEST;
    return new Uint32Array(this.#words.buffer, at * Int32Array.BYTES_PER_ELEMENT, WORKER_WORDS - WORKER_REQUEST);
  }

  /** The request that it took and has neither answered nor handed on. */
  taken(worker: number): { ring: number; position: number } | undefined {
    const ring = this.#load(worker, WORKER_REQUEST);
    return ring === NO_RING ? undefined : { ring, position: this.#load(worker, WORKER_REQUEST + 1) };
  }

  clearRequest(worker: number): void {
    this.#store(worker, WORKER_REQUEST, NO_RING);
  }

  #at(worker: number): number {
    return this.#base + worker * WORKER_WORDS;
  }

  #load(worker: number, word: number): number {
    return Atomics.load(this.#words, this.#at(worker) + word);
  }

  #store(worker: number, word: number, value: number): void {
    Atomics.store(this.#words, this.#at(worker) + word, value);
  }
}
