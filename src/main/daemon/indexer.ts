// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, renameSync, utimesSync } from 'node:fs';
import { Piscina } from 'piscina';
import type { IndexOutcome, IndexTask } from '../../workers/index/index-worker.js';
import type { BlobRecord } from '../cache/records.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { indexMemory } from '../index/memory.js';
import { trimAfterThreads } from './ended-threads.js';

/** Makes indexes of layers, in a thread of its own that ends when there is nothing more to do. */
export class Indexer {
  readonly #layout: CacheLayout;
  readonly #memoryLimit: number;
  readonly #pool = new Piscina({
    filename: new URL('../../workers/index/index-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: 2,
    idleTimeout: 5000,
  });
  readonly #runs = new Set<Promise<unknown>>();
  #drafts = 0;

  /** Has a thread ready by the time that the first TOC is at hand. */
  warm(): void {
    void this.#run(null);
  }

  /** `memory` is the setting index-memory. */
  constructor(layout: CacheLayout, memory: number) {
    this.#layout = layout;
    trimAfterThreads(this.#pool);
    this.#memoryLimit = indexMemory(memory);
  }

  /**
   * Reads the TOC of a blob, and puts its index into the cache; `generation` tells in which it is published.
   * Throws CRFS_NOT_STARGZ, CRFS_BAD_LAYER.
   */
  async index(blob: Omit<IndexTask, 'path' | 'memoryLimit'>, generation: () => number): Promise<BlobRecord> {
    const path = this.#layout.draft(`index-${this.#drafts++}`);
    const outcome = (await this.#run({ ...blob, path, memoryLimit: this.#memoryLimit })) as IndexOutcome;
    if ('error' in outcome) throw new CrfsError(outcome.error.code, outcome.error.message);
    chmodSync(path, 0o400);
    utimesSync(path, Date.now() / 1000, generation());
    renameSync(path, this.#layout.index(outcome.record.key));
    return outcome.record;
  }

  /** Waits for what is under way: a thread that is ended while it loads its modules takes the process with it. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#runs);
    await this.#pool.destroy();
  }

  async #run(task: IndexTask | null): Promise<unknown> {
    const run: Promise<unknown> = this.#pool.run(task);
    this.#runs.add(run);
    try {
      return await run;
    } finally {
      this.#runs.delete(run);
    }
  }
}
