// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The board: memory that all workers of a daemon share, where a worker posts the file that it fills, so that
 * the others help with its chunks, and so that one file that many ask for is filled once.
 *
 * A job is one file being filled: created by the worker that took the first request for it, open to helpers while it
 * has unclaimed chunks, finished by the worker that leaves it last. Requests for the same file meanwhile join as waiters.
 *
 * Everything is guarded by one lock, held for a few words' worth of work; chunks are claimed without it.
 */

const LOCK = 0;
const STOP = 1;
const FREE_WAITER = 2; // 1 + first free waiter; 0: none
const HEADER_WORDS = 16;

const JOB_WORDS = 20;
const STATE = 0;
const LAYER = 1;
const INODE = 2;
const CHUNKS = 3;
const NEXT = 4; // chunks claimed so far; may run past CHUNKS
const ERROR = 5; // errno of the first failure
const ACTIVE = 6; // workers on it
const FD = 7; // 1 + descriptor of the file being filled; 0: not open to helpers
const WAITER = 8; // 1 + first waiter; 0: none
const KEY = 12; // 8 words

const FREE = 0;
const OPEN = 1;
const FINISHING = 2;

const WAITER_WORDS = 3; // ring, position, 1 + next
const WAITERS = 2048;

const WORKER_WORDS = 4; // 1 + job, 1 + ring, position of a request not yet joined
const KEY_WORDS = 8;

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

/** What a dead worker left behind. */
export interface Remains {
  /** Requests to answer. */
  readonly waiters: Waiter[];
  /** Descriptor of a half-filled file that nobody else works on, or -1. */
  readonly fd: number;
}

export class Board {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #counters: BigUint64Array;
  readonly #jobs: number;
  readonly #waiterBase: number;
  readonly #workerBase: number;

  /** For `workers` workers; `buffer` is another thread's board of the same size, or none to make a new one. */
  constructor(workers: number, buffer?: SharedArrayBuffer) {
    this.#jobs = 2 * workers; // a worker is in one job, and may be about to create its next
    this.#waiterBase = HEADER_WORDS + this.#jobs * JOB_WORDS;
    this.#workerBase = this.#waiterBase + WAITERS * WAITER_WORDS;
    const words = this.#workerBase + workers * WORKER_WORDS;
    const counterBase = Math.ceil(words / 2) * 8;
    this.buffer = buffer ?? new SharedArrayBuffer(counterBase + COUNTERS.length * 8);
    this.#words = new Int32Array(this.buffer, 0, words);
    this.#counters = new BigUint64Array(this.buffer, counterBase, COUNTERS.length);
    if (buffer === undefined) {
      for (let w = 0; w < WAITERS; w++) this.#words[this.#waiterBase + w * WAITER_WORDS + 2] = w + 2;
      this.#words[this.#waiterBase + (WAITERS - 1) * WAITER_WORDS + 2] = 0;
      this.#words[FREE_WAITER] = 1;
    }
  }

  get stopping(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  stop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  count(counter: Counter, by: number): void {
    Atomics.add(this.#counters, COUNTERS.indexOf(counter), BigInt(by));
  }

  counters(): Record<Counter, number> {
    const values = COUNTERS.map((name, i) => [name, Number(Atomics.load(this.#counters, i))]);
    return Object.fromEntries(values) as Record<Counter, number>;
  }

  /** Jobs under way. */
  get busy(): number {
    let busy = 0;
    for (let job = 0; job < this.#jobs; job++) if (Atomics.load(this.#words, this.#job(job) + STATE) !== FREE) busy++;
    return busy;
  }

  /** Notes the request that a worker has taken, until it joins a job or is answered. */
  hold(worker: number, ring: number, position: number): void {
    this.#words[this.#worker(worker) + 1] = ring + 1;
    this.#words[this.#worker(worker) + 2] = position;
  }

  /** The request noted by `hold` was answered. */
  release(worker: number): void {
    this.#words[this.#worker(worker) + 1] = 0;
  }

  /**
   * Joins the job that fills the object `key` (32 bytes), or creates it with this worker in it. The request noted by
   * `hold`, if any, becomes one of its waiters.
   * Returns the job and whether it was created; a job of -1: there is no room for another waiter.
   */
  join(
    worker: number,
    key: Uint8Array,
    layer: number,
    inode: number,
    chunks: number,
  ): { job: number; created: boolean } {
    const words = new Int32Array(KEY_WORDS);
    new Uint8Array(words.buffer).set(key);
    return this.#locked(() => {
      let free = -1;
      for (let job = 0; job < this.#jobs; job++) {
        const at = this.#job(job);
        if (this.#words[at + STATE] === FREE) free = job;
        else if (words.every((word, i) => this.#words[at + KEY + i] === word)) {
          return { job: this.#wait(worker, job) ? job : -1, created: false };
        }
      }
      const at = this.#job(free);
      this.#words.fill(0, at, at + JOB_WORDS);
      this.#words[at + LAYER] = layer;
      this.#words[at + INODE] = inode;
      this.#words[at + CHUNKS] = chunks;
      this.#words[at + ACTIVE] = 1;
      this.#words.set(words, at + KEY);
      if (!this.#wait(worker, free)) return { job: -1, created: false };
      Atomics.store(this.#words, at + STATE, OPEN);
      this.#words[this.#worker(worker)] = free + 1;
      return { job: free, created: true };
    });
  }

  /** Opens a job to helpers: `fd` is the file that all of them fill. */
  share(job: number, fd: number): void {
    Atomics.store(this.#words, this.#job(job) + FD, fd + 1);
  }

  /** Enters a job that has chunks to claim; -1: there is none. */
  help(worker: number): number {
    return this.#locked(() => {
      for (let job = 0; job < this.#jobs; job++) {
        const at = this.#job(job);
        if (this.#words[at + STATE] !== OPEN || this.#words[at + FD] === 0 || !this.#unclaimed(at)) continue;
        this.#add(at + ACTIVE, 1);
        this.#words[this.#worker(worker)] = job + 1;
        return job;
      }
      return -1;
    });
  }

  /** Facts of a job that the worker is in. */
  describe(job: number): { layer: number; inode: number; fd: number; error: number } {
    const at = this.#job(job);
    return {
      layer: this.#load(at + LAYER),
      inode: this.#load(at + INODE),
      fd: this.#load(at + FD) - 1,
      error: this.#load(at + ERROR),
    };
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

  /** Leaves a job. Returns true to the last one, who must finish it. */
  leave(worker: number, job: number): boolean {
    return this.#locked(() => this.#leave(worker, job));
  }

  /** Ends a job. Returns the requests to answer. */
  finish(job: number): Waiter[] {
    return this.#locked(() => this.#finish(job));
  }

  /** Takes a dead worker off the board: what it was filling fails with `errno` for all. */
  bury(worker: number, errno: number): Remains {
    return this.#locked(() => {
      const at = this.#worker(worker);
      const waiters: Waiter[] = [];
      let fd = -1;
      const ring = this.#load(at + 1) - 1;
      if (ring >= 0) waiters.push({ ring, position: this.#load(at + 2) });
      const job = this.#load(at) - 1;
      if (job >= 0) {
        this.fail(job, errno);
        if (this.#leave(worker, job)) {
          fd = this.#load(this.#job(job) + FD) - 1;
          waiters.push(...this.#finish(job));
        }
      }
      this.#words.fill(0, at, at + WORKER_WORDS);
      return { waiters, fd };
    });
  }

  #leave(worker: number, job: number): boolean {
    const at = this.#job(job);
    this.#words[this.#worker(worker)] = 0;
    this.#add(at + ACTIVE, -1);
    if (this.#load(at + ACTIVE) > 0 || this.#unclaimed(at)) return false;
    Atomics.store(this.#words, at + STATE, FINISHING);
    return true;
  }

  #finish(job: number): Waiter[] {
    const at = this.#job(job);
    const waiters: Waiter[] = [];
    for (let next = this.#load(at + WAITER); next !== 0; ) {
      const waiter = this.#waiterBase + (next - 1) * WAITER_WORDS;
      waiters.push({ ring: this.#load(waiter), position: this.#load(waiter + 1) });
      const after = this.#load(waiter + 2);
      this.#words[waiter + 2] = this.#load(FREE_WAITER);
      this.#words[FREE_WAITER] = next;
      next = after;
    }
    Atomics.store(this.#words, at + STATE, FREE);
    return waiters;
  }

  /** Moves the request that the worker holds to the job's waiters. */
  #wait(worker: number, job: number): boolean {
    const held = this.#worker(worker);
    const ring = this.#load(held + 1) - 1;
    if (ring < 0) return true;
    const free = this.#load(FREE_WAITER);
    if (free === 0) return false;
    const waiter = this.#waiterBase + (free - 1) * WAITER_WORDS;
    const at = this.#job(job);
    this.#words[FREE_WAITER] = this.#load(waiter + 2);
    this.#words[waiter] = ring;
    this.#words[waiter + 1] = this.#load(held + 2);
    this.#words[waiter + 2] = this.#load(at + WAITER);
    this.#words[at + WAITER] = free;
    this.#words[held + 1] = 0;
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

  #load(at: number): number {
    return Atomics.load(this.#words, at);
  }

  #add(at: number, by: number): void {
    Atomics.add(this.#words, at, by);
  }

  #locked<T>(critical: () => T): T {
    // 0: free, 1: held, 2: held and waited for
    let seen = Atomics.compareExchange(this.#words, LOCK, 0, 1);
    while (seen !== 0) {
      if (seen === 2 || Atomics.compareExchange(this.#words, LOCK, 1, 2) !== 0) Atomics.wait(this.#words, LOCK, 2);
      seen = Atomics.compareExchange(this.#words, LOCK, 0, 2);
    }
    try {
      return critical();
    } finally {
      if (Atomics.exchange(this.#words, LOCK, 0) === 2) Atomics.notify(this.#words, LOCK, 1);
    }
  }
}
