// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';

/**
 * The board: memory that all workers of a daemon share, where a worker posts the file that it fills, so that
 * the others help with its chunks, and so that one file that many ask for is filled once.
 *
 * A job is one file of one layer being filled: created by the worker that took the first request for it, open to helpers
 * while it has unclaimed chunks, finished by the worker that leaves it last. Requests for the same file meanwhile join as
 * waiters. A file of another layer is another job even where both say that their content is the same: one of them may be
 * wrong, and must not answer for the other.
 *
 * Everything is guarded by one lock, held for a few words' worth of work; chunks are claimed without it.
 *
 * A worker can die between any two instructions. So whatever it owes stands on the board at any time: the request that
 * it took, the job that it is in, the requests that it is about to answer. Only one who dies with the lock in hand leaves
 * the board in doubt: that ends the daemon, and mounts start another.
 */

const LOCK = 0;
const STOP = 1;
const FREE_WAITER = 2; // 1 + first free waiter; 0: none
const GENERATION = 3; // of what is published now
const RUNNING = 4; // workers that there are now
const HEADER_WORDS = 16;

const JOB_WORDS = 11;
const STATE = 0;
const LAYER = 1;
const INODE = 2;
const CHUNKS = 3;
const NEXT = 4; // chunks claimed so far; may run past CHUNKS
const ERROR = 5; // errno of the first failure
const ACTIVE = 6; // workers on it
const SHARED = 7; // 1: open to helpers
const WAITER = 8; // 1 + first waiter; 0: none
const STARTED = 9; // the generation in which it was created
const FINAL = 10; // 1: what it reads is not fetched again, however wrong

const FREE = 0;
const OPEN = 1;
const FINISHING = 2;

const WAITER_WORDS = 3; // ring, position, 1 + next
const WAITERS = 2048;

const WORKER_WORDS = 9;
const JOB = 0; // 1 + job
const ANSWERING = 1; // 1 + first waiter of a job that it has ended
const AHEAD = 2; // 1: it fills what nobody waits for
const REQUEST = 3; // what `take` of the addon fills in: ring and position first
const NO_RING = -1;
const LOCK_PATIENCE_MS = 1000;

/** What a worker counts; in the order of the words. */
export const COUNTERS = [
  'requests',
  'objects',
  'objectBytes',
  'inflatedBytes',
  'readBytes',
  'errors',
  'digestErrors',
] as const;
export type Counter = (typeof COUNTERS)[number];

/** A request of a mount that waits for a job. */
export interface Waiter {
  readonly ring: number;
  readonly position: number;
}

export class Board {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #counters: BigUint64Array;
  readonly #jobs: number;
  readonly #workers: number;
  readonly #waiterBase: number;
  readonly #workerBase: number;

  /** For `workers` workers; `buffer` is another thread's board of the same size, or none to make a new one. */
  constructor(workers: number, buffer?: SharedArrayBuffer) {
    this.#workers = workers;
    this.#jobs = 2 * workers; // a worker is in one job, and may be about to create its next
    this.#waiterBase = HEADER_WORDS + this.#jobs * JOB_WORDS;
    this.#workerBase = this.#waiterBase + WAITERS * WAITER_WORDS;
    const words = this.#workerBase + workers * WORKER_WORDS;
    const counterBase = Math.ceil(words / 2) * 8;
    this.buffer = buffer ?? new SharedArrayBuffer(counterBase + COUNTERS.length * 8);
    this.#words = new Int32Array(this.buffer, 0, words);
    this.#counters = new BigUint64Array(this.buffer, counterBase, COUNTERS.length);
    if (buffer === undefined) {
      for (let w = 0; w < WAITERS; w++) this.#words[this.#waiter(w + 1) + 2] = w + 2;
      this.#words[this.#waiter(WAITERS) + 2] = 0;
      this.#words[FREE_WAITER] = 1;
      for (let worker = 0; worker < workers; worker++) this.#words[this.#worker(worker) + REQUEST] = NO_RING;
    }
  }

  get stopping(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  stop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  /** Workers that there are now, of those that there may be. */
  get running(): number {
    return this.#load(RUNNING);
  }

  set running(workers: number) {
    Atomics.store(this.#words, RUNNING, workers);
  }

  /** Whether there may be more workers than there are. */
  get mayGrow(): boolean {
    return this.running < this.#workers;
  }

  count(counter: Counter, by: number): void {
    Atomics.add(this.#counters, COUNTERS.indexOf(counter), BigInt(by));
  }

  counters(): Record<Counter, number> {
    const values = COUNTERS.map((name, i) => [name, Number(Atomics.load(this.#counters, i))]);
    return Object.fromEntries(values) as Record<Counter, number>;
  }

  get generation(): number {
    return Atomics.load(this.#words, GENERATION);
  }

  /** To be called before the first worker starts. */
  startGeneration(generation: number): void {
    Atomics.store(this.#words, GENERATION, generation);
  }

  /**
   * Begins another generation: what is published by jobs that are created from now on. Returns the last generation that
   * is complete: no job that was created in it, or before, is under way.
   */
  nextGeneration(): number {
    return this.#locked(() => {
      let complete = this.#load(GENERATION);
      for (let job = 0; job < this.#jobs; job++) {
        const at = this.#job(job);
        if (this.#load(at + STATE) !== FREE) complete = Math.min(complete, this.#load(at + STARTED) - 1);
      }
      this.#add(GENERATION, 1);
      return complete;
    });
  }

  /** Jobs under way. */
  get busy(): number {
    let busy = 0;
    for (let job = 0; job < this.#jobs; job++) if (Atomics.load(this.#words, this.#job(job) + STATE) !== FREE) busy++;
    return busy;
  }

  /**
   * Lets a worker fill what nobody waits for, unless it is the last one that could serve who does. Returns whether it may;
   * it then says when it has done.
   */
  goAhead(worker: number): boolean {
    return this.#locked(() => {
      let ahead = 0;
      for (let other = 0; other < this.#workers; other++) ahead += this.#load(this.#worker(other) + AHEAD);
      const may = ahead < Math.max(1, this.running - 1);
      if (may) this.#words[this.#worker(worker) + AHEAD] = 1;
      return may;
    });
  }

  backFromAhead(worker: number): void {
    Atomics.store(this.#words, this.#worker(worker) + AHEAD, 0);
  }

  /** Where a worker notes the request that it takes, in the words that the addon's `take` writes. */
  request(worker: number): Uint32Array {
    return new Uint32Array(this.buffer, (this.#worker(worker) + REQUEST) * 4, WORKER_WORDS - REQUEST);
  }

  /** The request that the worker took is answered, or handed on. */
  answered(worker: number): void {
    Atomics.store(this.#words, this.#worker(worker) + REQUEST, NO_RING);
  }

  /**
   * Joins the job that fills a file of a layer, or creates it with this worker in it. The request that the worker took, if
   * any, becomes one of its waiters.
   * Returns the job and whether it was created; a job of -1: there is no room for another waiter.
   */
  join(worker: number, layer: number, inode: number, chunks: number): { job: number; created: boolean } {
    return this.#locked(() => {
      let free = -1;
      for (let job = 0; job < this.#jobs; job++) {
        const at = this.#job(job);
        if (this.#words[at + STATE] === FREE) free = job;
        else if (this.#words[at + LAYER] === layer && this.#words[at + INODE] === inode) {
          return { job: this.#wait(worker, job) ? job : -1, created: false };
        }
      }
      const at = this.#job(free);
      this.#words.fill(0, at, at + JOB_WORDS);
      this.#words[at + LAYER] = layer;
      this.#words[at + INODE] = inode;
      this.#words[at + CHUNKS] = chunks;
      this.#words[at + ACTIVE] = 1;
      this.#words[at + STARTED] = this.#load(GENERATION);
      if (!this.#wait(worker, free)) return { job: -1, created: false };
      Atomics.store(this.#words, at + STATE, OPEN);
      this.#words[this.#worker(worker) + JOB] = free + 1;
      return { job: free, created: true };
    });
  }

  /** Notes that the bytes of a job were final before any of them was read: to be called before `share`. */
  markFinal(job: number): void {
    Atomics.store(this.#words, this.#job(job) + FINAL, 1);
  }

  /** Opens a job to helpers. */
  share(job: number): void {
    Atomics.store(this.#words, this.#job(job) + SHARED, 1);
  }

  /** Enters a job that has chunks to claim; -1: there is none. */
  help(worker: number): number {
    return this.#locked(() => {
      for (let job = 0; job < this.#jobs; job++) {
        const at = this.#job(job);
        if (this.#words[at + STATE] !== OPEN || this.#words[at + SHARED] === 0 || !this.#unclaimed(at)) continue;
        this.#add(at + ACTIVE, 1);
        this.#words[this.#worker(worker) + JOB] = job + 1;
        return job;
      }
      return -1;
    });
  }

  /** Facts of a job that the worker is in. */
  describe(job: number): { layer: number; inode: number; error: number; generation: number; isFinal: boolean } {
    const at = this.#job(job);
    return {
      layer: this.#load(at + LAYER),
      inode: this.#load(at + INODE),
      error: this.#load(at + ERROR),
      generation: this.#load(at + STARTED),
      isFinal: this.#load(at + FINAL) !== 0,
    };
  }

  /** Whether somebody waits for a job that the worker is in. */
  demanded(job: number): boolean {
    return this.#load(this.#job(job) + WAITER) !== 0;
  }

  /** The next chunk of the job that nobody works on, counted from the file's first; -1: there is none. */
  claim(job: number): number {
    const at = this.#job(job);
    if (!this.#unclaimed(at)) return -1;
    const chunk = Atomics.add(this.#words, at + NEXT, 1);
    return chunk < this.#load(at + CHUNKS) ? chunk : -1;
  }

  /** Nothing is left to do in a job: its object is there. */
  cancel(job: number): void {
    Atomics.store(this.#words, this.#job(job) + NEXT, this.#load(this.#job(job) + CHUNKS));
  }

  /** The job fails with this errno, unless it already has. */
  fail(job: number, errno: number): void {
    Atomics.compareExchange(this.#words, this.#job(job) + ERROR, 0, errno);
  }

  /** Leaves a job. Returns true to the last one, who stays in it and must finish it. */
  leave(worker: number, job: number): boolean {
    return this.#locked(() => this.#leave(worker, job));
  }

  /** Ends a job, and has every request that waits for it answered. */
  finish(worker: number, job: number, answer: (waiter: Waiter) => void): void {
    const row = this.#worker(worker);
    this.#locked(() => {
      this.#words[row + ANSWERING] = this.#load(this.#job(job) + WAITER);
      this.#free(worker, job);
    });
    for (const waiter of this.#waiters(this.#load(row + ANSWERING))) answer(waiter);
    this.#locked(() => {
      this.#release(this.#load(row + ANSWERING));
      this.#words[row + ANSWERING] = 0;
    });
  }

  /**
   * Takes a dead worker off the board: what it was filling fails with `errno` for all. Returns the requests to answer;
   * some of them it may have answered itself. Throws CRFS_INTERNAL if it died with the lock in hand.
   */
  bury(worker: number, errno: number): Waiter[] {
    return this.#locked(() => {
      const row = this.#worker(worker);
      const waiters = this.#waiters(this.#load(row + ANSWERING));
      this.#release(this.#load(row + ANSWERING));
      const ring = this.#load(row + REQUEST);
      if (ring !== NO_RING) waiters.push({ ring, position: this.request(worker)[1] ?? 0 });
      const job = this.#load(row + JOB) - 1;
      if (job >= 0) {
        this.fail(job, errno);
        if (this.#load(this.#job(job) + STATE) === FINISHING || this.#leave(worker, job)) {
          waiters.push(...this.#waiters(this.#load(this.#job(job) + WAITER)));
          this.#release(this.#load(this.#job(job) + WAITER));
          this.#free(worker, job);
        }
      }
      this.#words.fill(0, row, row + WORKER_WORDS);
      this.#words[row + REQUEST] = NO_RING;
      return waiters;
    }, LOCK_PATIENCE_MS);
  }

  #leave(worker: number, job: number): boolean {
    const at = this.#job(job);
    this.#add(at + ACTIVE, -1);
    const last = this.#load(at + ACTIVE) === 0 && !this.#unclaimed(at);
    if (last) Atomics.store(this.#words, at + STATE, FINISHING);
    else this.#words[this.#worker(worker) + JOB] = 0;
    return last;
  }

  #free(worker: number, job: number): void {
    this.#words[this.#worker(worker) + JOB] = 0;
    Atomics.store(this.#words, this.#job(job) + STATE, FREE);
  }

  /** The list of waiters that starts with `first`. */
  #waiters(first: number): Waiter[] {
    const waiters: Waiter[] = [];
    for (let next = first; next !== 0; next = this.#load(this.#waiter(next) + 2)) {
      const at = this.#waiter(next);
      waiters.push({ ring: this.#load(at), position: this.#load(at + 1) });
    }
    return waiters;
  }

  /** Gives the list of waiters that starts with `first` back. */
  #release(first: number): void {
    for (let next = first; next !== 0; ) {
      const at = this.#waiter(next);
      const after = this.#load(at + 2);
      this.#words[at + 2] = this.#load(FREE_WAITER);
      this.#words[FREE_WAITER] = next;
      next = after;
    }
  }

  /** Moves the request that the worker took to the job's waiters. */
  #wait(worker: number, job: number): boolean {
    const request = this.#worker(worker) + REQUEST;
    const ring = this.#load(request);
    if (ring === NO_RING) return true;
    const free = this.#load(FREE_WAITER);
    if (free === 0) return false;
    const waiter = this.#waiter(free);
    const at = this.#job(job);
    this.#words[FREE_WAITER] = this.#load(waiter + 2);
    this.#words[waiter] = ring;
    this.#words[waiter + 1] = this.#load(request + 1);
    this.#words[waiter + 2] = this.#load(at + WAITER);
    this.#words[at + WAITER] = free;
    this.#words[request] = NO_RING;
    return true;
  }

  #unclaimed(at: number): boolean {
    return this.#load(at + ERROR) === 0 && this.#load(at + NEXT) < this.#load(at + CHUNKS);
  }

  #job(job: number): number {
    return HEADER_WORDS + job * JOB_WORDS;
  }

  #worker(worker: number): number {
    return this.#workerBase + worker * WORKER_WORDS;
  }

  /** `number`: counted from 1, as in lists. */
  #waiter(number: number): number {
    return this.#waiterBase + (number - 1) * WAITER_WORDS;
  }

  #load(at: number): number {
    return Atomics.load(this.#words, at);
  }

  #add(at: number, by: number): void {
    Atomics.add(this.#words, at, by);
  }

  /** `patience`: milliseconds after which the lock is taken for that of a dead worker. */
  #locked<T>(critical: () => T, patience = Number.POSITIVE_INFINITY): T {
    // 0: free, 1: held, 2: held and waited for
    let seen = Atomics.compareExchange(this.#words, LOCK, 0, 1);
    const end = seen === 0 ? 0 : performance.now() + patience;
    while (seen !== 0) {
      if (seen === 2 || Atomics.compareExchange(this.#words, LOCK, 1, 2) !== 0) {
        Atomics.wait(this.#words, LOCK, 2, patience);
      }
      seen = Atomics.compareExchange(this.#words, LOCK, 0, 2);
      if (seen !== 0 && performance.now() > end) throw new CrfsError('CRFS_INTERNAL', 'a worker died over the board');
    }
    try {
      return critical();
    } finally {
      if (Atomics.exchange(this.#words, LOCK, 0) === 2) Atomics.notify(this.#words, LOCK, 1);
    }
  }
}
