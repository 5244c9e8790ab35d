// SPDX-License-Identifier: GPL-3.0-or-later

import type { Run } from '../messages.js';
import { Counters } from './counters.js';
import { type JobFacts, Jobs } from './jobs.js';
import { SharedLock } from './lock.js';
import { type Waiter, Waiters } from './waiters.js';
import { WorkerRows } from './worker-rows.js';

const LOCK = 0;
const STOP = 1;
const GENERATION = 2; // of what is published now
const RUNNING = 3; // workers that there are now
const HEADER_WORDS = 16;

/** A lock that is not let go for so long is that of a dead worker. */
const LOCK_PATIENCE_MS = 1000;

/**
 * The board: memory that all workers of a daemon share, where a worker posts the file that it fills, so that
 * the others help with its chunks, and so that one file that many ask for is filled once.
 *
 * A job is a run of chunks of one file of one layer being filled: created by the worker that took the first request for it,
 * open to helpers while it has unclaimed chunks, finished by the worker that leaves it last. Requests for the same chunks
 * meanwhile join as waiters. Runs may overlap: whoever comes second to a chunk finds it there. A file of another layer is
 * another job even where both say that their content is the same: one of them may be wrong, and must not answer for the
 * other.
 *
 * Everything is guarded by one lock, held for a few words' worth of work; chunks are claimed without it. A worker can die
 * between any two instructions. So whatever it owes stands on the board at any time: the request that it took, the job
 * that it is in, the requests that it is about to answer. Only one who dies with the lock in hand leaves the board in
 * doubt: that ends the daemon, and mounts start another.
 */
export class Board {
  readonly buffer: SharedArrayBuffer;
  readonly counters: Counters;
  readonly #words: Int32Array;
  readonly #lock: SharedLock;
  readonly #jobs: Jobs;
  readonly #waiters: Waiters;
  readonly #rows: WorkerRows;

  /** For `workers` workers; `buffer` is another thread's board of the same size, or none to make a new one. */
  constructor(workers: number, buffer?: SharedArrayBuffer) {
    const jobs = 2 * workers; // see mayLeave
    const waiterBase = HEADER_WORDS + Jobs.words(jobs);
    const rowBase = waiterBase + Waiters.words;
    const words = rowBase + WorkerRows.words(workers);
    const counterBase = Math.ceil(words / 2) * 8;
    this.buffer = buffer ?? new SharedArrayBuffer(counterBase + Counters.bytes);
    this.#words = new Int32Array(this.buffer, 0, words);
    this.#lock = new SharedLock(this.#words, LOCK);
    this.#jobs = new Jobs(this.#words, HEADER_WORDS, jobs);
    this.#waiters = new Waiters(this.#words, waiterBase);
    this.#rows = new WorkerRows(this.#words, rowBase, workers);
    this.counters = new Counters(this.buffer, counterBase);
    if (buffer === undefined) {
      this.#waiters.reset();
      for (let worker = 0; worker < workers; worker++) this.#rows.reset(worker);
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
    return Atomics.load(this.#words, RUNNING);
  }

  set running(workers: number) {
    Atomics.store(this.#words, RUNNING, workers);
  }

  /** Whether there may be more workers than there are. */
  get mayGrow(): boolean {
    return this.running < this.#rows.count;
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
    return this.#lock.hold(() => {
      const complete = Math.min(this.generation, this.#jobs.oldestGeneration - 1);
      Atomics.add(this.#words, GENERATION, 1);
      return complete;
    });
  }

  /** Jobs under way. */
  get busy(): number {
    return this.#jobs.busy;
  }

  /**
   * Lets a worker fill what nobody waits for, unless it is the last one that could serve who does. Returns whether it may;
   * it then says when it has done.
   */
  goAhead(worker: number): boolean {
    return this.#lock.hold(() => {
      if (this.#rows.ahead >= Math.max(1, this.running - 1)) return false;
      this.#rows.setAhead(worker, true);
      return true;
    });
  }

  backFromAhead(worker: number): void {
    this.#rows.setAhead(worker, false);
  }

  /** Where a worker notes the request that it takes, in the words that the addon's `take` writes. */
  request(worker: number): Uint32Array {
    return this.#rows.request(worker);
  }

  /** The request that the worker took is answered, or handed on. */
  answered(worker: number): void {
    this.#rows.clearRequest(worker);
  }

  /**
   * Joins the job that fills chunks of a file, or creates it with this worker in it. The request that the worker took, if
   * any, becomes one of its waiters.
   * Returns the job and whether it was created; a job of -1: there is no room for another job or waiter.
   */
  join(worker: number, run: Run): { job: number; created: boolean } {
    return this.#lock.hold(() => {
      const known = this.#jobs.find(run);
      if (known >= 0) return { job: this.#wait(worker, known) ? known : -1, created: false };
      const job = this.#jobs.prepare(run, this.generation);
      if (job < 0 || !this.#wait(worker, job)) return { job: -1, created: false };
      this.#jobs.open(job);
      this.#rows.setJob(worker, job);
      return { job, created: true };
    });
  }

  /** Notes that the bytes of a job were final before any of them was read: to be called before `share`. */
  markFinal(job: number): void {
    this.#jobs.markFinal(job);
  }

  /** Opens a job to helpers. */
  share(job: number): void {
    this.#jobs.share(job);
  }

  /** Enters a job that has chunks to claim; -1: there is none. */
  help(worker: number): number {
    return this.#lock.hold(() => {
      const job = this.#jobs.help();
      if (job >= 0) this.#rows.setJob(worker, job);
      return job;
    });
  }

  /** Facts of a job that the worker is in. */
  describe(job: number): JobFacts {
    return this.#jobs.describe(job);
  }

  /** Whether somebody waits for a job that the worker is in. */
  demanded(job: number): boolean {
    return this.#jobs.waiters(job) !== 0;
  }

  /** The next chunk of the job that nobody works on, counted from the file's first; -1: there is none. */
  claim(job: number): number {
    return this.#jobs.claim(job);
  }

  /** Requests that wait for a job that the worker is in. */
  waiting(job: number): Waiter[] {
    return this.#lock.hold(() => this.#waiters.list(this.#jobs.waiters(job)));
  }

  /** Nothing is left to do in a job: its object is there. */
  cancel(job: number): void {
    this.#jobs.cancel(job);
  }

  /** The job fails with this errno, unless it already has. */
  fail(job: number, errno: number): void {
    this.#jobs.fail(job, errno);
  }

  /**
   * Whether a worker may leave a job that has chunks to claim, to begin another one. Such jobs are as many as there are
   * workers at the most, and so are those with workers in them: there are rows for both.
   */
  mayLeave(): boolean {
    return this.#lock.hold(() => this.#jobs.busy <= this.#rows.count);
  }

  /** Leaves a job. Returns true to the last one, who stays in it and must finish it. */
  leave(worker: number, job: number): boolean {
    return this.#lock.hold(() => this.#leave(worker, job));
  }

  /** Ends a job, and has every request that waits for it answered. */
  finish(worker: number, job: number, answer: (waiter: Waiter) => void): void {
    this.#lock.hold(() => {
      this.#rows.setAnswering(worker, this.#jobs.waiters(job));
      this.#free(worker, job);
    });
    for (const waiter of this.#waiters.list(this.#rows.answering(worker))) answer(waiter);
    this.#lock.hold(() => {
      this.#waiters.release(this.#rows.answering(worker));
      this.#rows.setAnswering(worker, 0);
    });
  }

  /**
   * Takes a dead worker off the board: what it was filling fails with `errno` for all. Returns the requests to answer;
   * some of them it may have answered itself. Throws CRFS_INTERNAL if it died with the lock in hand.
   */
  reclaim(worker: number, errno: number): Waiter[] {
    return this.#lock.hold(() => {
      const waiters = this.#waiters.take(this.#rows.answering(worker));
      const taken = this.#rows.taken(worker);
      if (taken) waiters.push(taken);
      const job = this.#rows.job(worker);
      if (job >= 0) {
        this.#jobs.fail(job, errno);
        if (this.#jobs.isFinishing(job) || this.#leave(worker, job)) {
          waiters.push(...this.#waiters.take(this.#jobs.waiters(job)));
          this.#free(worker, job);
        }
      }
      this.#rows.reset(worker);
      return waiters;
    }, LOCK_PATIENCE_MS);
  }

  #leave(worker: number, job: number): boolean {
    const last = this.#jobs.leave(job);
    if (!last) this.#rows.setJob(worker, -1);
    return last;
  }

  #free(worker: number, job: number): void {
    this.#rows.setJob(worker, -1);
    this.#jobs.free(job);
  }

  /** Moves the request that the worker took to the job's waiters. Returns false if there is no room. */
  #wait(worker: number, job: number): boolean {
    const taken = this.#rows.taken(worker);
    if (taken === undefined) return true;
    const list = this.#waiters.push(this.#jobs.waiters(job), taken.ring, taken.position);
    if (list === 0) return false;
    this.#jobs.setWaiters(job, list);
    this.#rows.clearRequest(worker);
    return true;
  }
}
