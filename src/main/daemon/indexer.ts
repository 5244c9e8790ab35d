// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Piscina } from 'piscina';
import type { IndexOutcome, IndexTask } from '../../workers/index/worker.js';
import type { CacheLayout } from '../cache/layout.js';
import type { BlobRecord } from '../cache/records.js';
import { CrfsError } from '../errors/error.js';

/** Makes indexes of layers, in a thread of its own that ends when there is nothing more to do. */
export class Indexer {
  readonly #layout: CacheLayout;
  readonly #pool = new Piscina({
    filename: new URL('../../workers/index/worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: 2,
    idleTimeout: 5000,
  });
  #drafts = 0;

  /** Has a thread ready by the time that the first TOC is at hand. */
  warm(): void {
    void this.#pool.run(null);
  }

  constructor(layout: CacheLayout) {
    this.#layout = layout;
  }

  /** Reads the TOC of a blob, and puts its index into the cache. Throws CRFS_NOT_STARGZ, CRFS_BAD_LAYER. */
  async index(blob: Omit<IndexTask, 'path'>): Promise<BlobRecord> {
    const path = join(this.#layout.tmp, `index-${this.#drafts++}`);
    const outcome = (await this.#pool.run({ ...blob, path } satisfies IndexTask)) as IndexOutcome;
    if ('error' in outcome) throw new CrfsError(outcome.error.code, outcome.error.message);
    chmodSync(path, 0o400);
    renameSync(path, this.#layout.index(outcome.record.key));
    return outcome.record;
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
