// SPDX-License-Identifier: GPL-3.0-or-later

/** The pool of workers that compress members, shared by all layers of a conversion. */

import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { Compressor, DeflateResult, DeflateTask } from '../../workers/deflate/task.js';

export interface DeflaterOptions {
  /** Threads; the machine's parallelism if left out. */
  readonly workers?: number;
  readonly engine?: Compressor;
  /** 1 (fast) to 9 (small), with libzstd to 19. */
  readonly level?: number;
}

export const DEFAULT_LEVEL = 6;
/** Starting a worker costs as much as deflating 10 MB. */
const KEEP_IDLE_MS = 10_000;
/** How long close() waits for workers that are still loading. */
const LOAD_WITHIN_MS = 10_000;

export class Deflater {
  readonly workers: number;
  readonly #pool: Piscina<DeflateTask, DeflateResult>;
  readonly #engine: Compressor;
  readonly #level: number;
  readonly #loaded = new Set<number>();

  constructor(options: DeflaterOptions = {}) {
    this.workers = options.workers ?? availableParallelism();
    this.#engine = options.engine ?? 'libdeflate';
    this.#level = options.level ?? DEFAULT_LEVEL;
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL('../../workers/deflate/deflate-worker.js', import.meta.url)),
      minThreads: 0, // of a worker that is made with the pool, nobody is told when it has loaded
      idleTimeout: KEEP_IDLE_MS,
      maxThreads: this.workers,
      concurrentTasksPerWorker: 1,
    });
    this.#pool.on('workerCreate', ({ id }: { id: number }) => this.#loaded.add(id));
    this.#pool.on('workerDestroy', ({ id }: { id: number }) => this.#loaded.delete(id));
  }

  /** The level that the workers deflate at. */
  get level(): number {
    return this.#level;
  }

  /** Deflates members in a worker. `input` and its buffer are gone for the caller until the result brings them back. */
  run(input: Uint8Array, memberEnds: Uint32Array, chunks: Uint32Array): Promise<DeflateResult> {
    const task: DeflateTask = { engine: this.#engine, level: this.#level, input, memberEnds, chunks };
    return this.#pool.run(task, { transferList: [input.buffer as ArrayBuffer] });
  }

  /**
   * Ends the workers, whatever they are deflating. Those that are still loading are waited for: Node.js aborts the
   * process when a thread ends while it loads modules.
   */
  async close(): Promise<void> {
    const deadline = Date.now() + LOAD_WITHIN_MS;
    while (this.#loaded.size < this.#pool.threads.length && Date.now() < deadline) await sleep(1);
    await this.#pool.destroy();
  }
}
