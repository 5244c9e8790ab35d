// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, renameSync, utimesSync } from 'node:fs';
import pLimit from 'p-limit';
import { Piscina } from 'piscina';
import type { IndexOutcome, IndexTask } from '../../workers/index/index-worker.js';
import type { BlobRecord } from '../cache/records.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { recognise } from '../formats/recognise.js';
import { buildNatively } from '../index/build-natively.js';
import { indexMemory } from '../index/memory.js';
import { plainFormats } from '../plain/plain.js';
import { fileSource } from '../sources/file.js';
import { trimAfterThreads } from './ended-threads.js';

/** Indexes that are made at the same time: each may take much memory. */
const AT_ONCE = 2;

/** Makes indexes of layers: natively, or in a thread that ends when there is nothing more to do. */
export class Indexer {
  readonly #layout: CacheLayout;
  readonly #memoryLimit: number;
  readonly #pool = new Piscina({
    filename: new URL('../../workers/index/index-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: AT_ONCE,
    idleTimeout: 5000,
  });
  readonly #limit = pLimit(AT_ONCE);
  readonly #runs = new Set<Promise<unknown>>();
  #drafts = 0;

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
    const record = await this.#run({ ...blob, path, memoryLimit: this.#memoryLimit });
    chmodSync(path, 0o400);
    utimesSync(path, Date.now() / 1000, generation());
    renameSync(path, this.#layout.index(record.key));
    return record;
  }

  /** Waits for what is under way: a thread that is ended while it loads its modules takes the process with it. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#runs);
    await this.#pool.destroy();
  }

  async #run(task: IndexTask): Promise<BlobRecord> {
    const run = this.#limit(() => this.#make(task));
    this.#runs.add(run);
    try {
      return await run;
    } finally {
      this.#runs.delete(run);
    }
  }

  async #make(task: IndexTask): Promise<BlobRecord> {
    const { fd, tocFd = fd, name, tocPosition, lazy, tocDigest, identity, path, memoryLimit } = task;
    const layer = await recognise(fileSource(fd, name), tocPosition, plainFormats(lazy, tocDigest));
    const made = await buildNatively({ layer, tocFd, path, memoryLimit, blobIdentity: identity });
    if (made !== undefined) return made;
    const outcome: IndexOutcome = await this.#pool.run(task);
    if ('error' in outcome) throw new CrfsError(outcome.error.code, outcome.error.message);
    return outcome.record;
  }
}
