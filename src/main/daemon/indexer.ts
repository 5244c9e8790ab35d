// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, renameSync, utimesSync } from 'node:fs';
import { MessageChannel } from 'node:worker_threads';
import pLimit from 'p-limit';
import { Piscina } from 'piscina';
import type { IndexOutcome, IndexTask, PortableTask } from '../../workers/index/index-worker.js';
import type { Keeping } from '../../workers/index/passed-files.js';
import { answerAsks } from '../blob/asked-source.js';
import type { BlobRecord } from '../cache/records.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { unlessAborted } from '../errors/unless-aborted.js';
import type { ComingBlob } from '../fetch/layer-blob.js';
import { indexedLayer } from '../formats/portable/read.js';
import { recognise } from '../formats/recognise.js';
import { buildNatively } from '../index/build-natively.js';
import { indexMemory } from '../index/memory.js';
import { FirstRead } from '../plain/first-read.js';
import { plainFormats } from '../plain/plain.js';
import type { Settings } from '../settings/options.js';
import { fileSource } from '../sources/file.js';
import { trimAfterThreads } from './ended-threads.js';

/** Indexes that are made at the same time, of layers that are here, and of those that are coming: each may take much memory. */
const AT_ONCE = 2;

/** What is to be done, but for where, and within which limits. */
type Unplaced<Task> = Omit<Task, keyof Place | 'keeping' | 'span' | 'asks'>;

/** Where an index is made, and with how much memory. */
type Place = Pick<IndexTask, 'path' | 'memoryLimit'>;

/** How a layer is read that may have no TOC. */
export interface Pass {
  /** What it holds is kept, as far as that passes. */
  readonly keeping: Omit<Keeping, 'objects' | 'tmp' | 'pass'>;
  /** The blob is not here yet. */
  readonly coming?: ComingBlob | undefined;
  /** Ends a pass: nobody waits for the layer any more. */
  readonly signal: AbortSignal;
}

/** Makes indexes of layers: natively, or in a thread that ends when there is nothing more to do. */
export class Indexer {
  readonly #layout: CacheLayout;
  readonly #memoryLimit: number;
  readonly #span: number;
  readonly #pool = new Piscina({
    filename: new URL('../../workers/index/index-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: 2 * AT_ONCE,
    idleTimeout: 5000,
  });
  readonly #here = pLimit(AT_ONCE);
  /** Registries may take for ever, and nothing that is here is to wait for them. */
  readonly #coming = pLimit(AT_ONCE);
  readonly #runs = new Set<Promise<unknown>>();
  /** Ends passes. */
  readonly #closing = new AbortController();
  #drafts = 0;

  constructor(layout: CacheLayout, settings: Pick<Settings, 'index-memory' | 'index-span'>) {
    this.#layout = layout;
    trimAfterThreads(this.#pool);
    this.#memoryLimit = indexMemory(settings['index-memory']);
    this.#span = settings['index-span'];
  }

  /**
   * Reads the TOC of a blob, and puts its index into the cache; `generation` tells in which it is published.
   * Throws CRFS_NOT_STARGZ, CRFS_BAD_LAYER, what bringing the blob in throws, and the signal's reason.
   */
  async index(blob: Unplaced<IndexTask>, generation: () => number, pass: Pass): Promise<BlobRecord> {
    const { objects, tmp } = this.#layout;
    const keeping = { ...pass.keeping, objects, tmp, pass: this.#drafts };
    const make = (place: Place): Promise<BlobRecord> =>
      this.#make({ ...blob, ...place, keeping, span: this.#span }, pass);
    return await this.#publish(make, generation, pass.coming ? this.#coming : this.#here);
  }

  /** The same by an index that another machine has made. */
  async indexPortable(blob: Unplaced<PortableTask>, generation: () => number): Promise<BlobRecord> {
    return await this.#publish((place) => this.#makePortable({ ...blob, ...place }), generation);
  }

  async #publish(
    make: (place: Place) => Promise<BlobRecord>,
    generation: () => number,
    limit = this.#here,
  ): Promise<BlobRecord> {
    const path = this.#layout.draft(`index-${this.#drafts++}`);
    const record = await this.#run(limit(() => make({ path, memoryLimit: this.#memoryLimit })));
    chmodSync(path, 0o400);
    utimesSync(path, Date.now() / 1000, generation());
    renameSync(path, this.#layout.index(record.key));
    return record;
  }

  /** Ends passes, and waits for all else that is under way: a thread that is ended while it loads its modules takes the process with it. */
  async close(): Promise<void> {
    this.#closing.abort(new CrfsError('CRFS_INTERNAL', 'the daemon ends'));
    await Promise.allSettled(this.#runs);
    await this.#pool.destroy();
  }

  async #run(run: Promise<BlobRecord>): Promise<BlobRecord> {
    this.#runs.add(run);
    try {
      return await run;
    } finally {
      this.#runs.delete(run);
    }
  }

  async #make(task: IndexTask, { coming, signal }: Pick<Pass, 'coming' | 'signal'>): Promise<BlobRecord> {
    const { fd, tocFd = fd, name, tocPosition, lazy, tocDigest, identity, path, memoryLimit } = task;
    const layer = await recognise(fileSource(fd, name), tocPosition, plainFormats(lazy, tocDigest));
    const made = await buildNatively({ layer, tocFd, path, memoryLimit, blobIdentity: identity });
    if (made !== undefined) return made;
    return recordIn(await this.#whileWanted(task, coming, AbortSignal.any([signal, this.#closing.signal])));
  }

  async #makePortable(task: PortableTask): Promise<BlobRecord> {
    const { fd, indexFd, form, name, identity, path, memoryLimit } = task;
    if (form === 'soci') return recordIn(await this.#inThread(task)); // nothing reads it natively
    const layer = await indexedLayer(fileSource(fd, name), fileSource(indexFd, name));
    const made = await buildNatively({ layer, tocFd: indexFd, path, memoryLimit, blobIdentity: identity });
    return made ?? recordIn(await this.#inThread(task));
  }

  /** Throws the signal's reason once that has ended a pass. */
  async #whileWanted(task: IndexTask, coming: ComingBlob | undefined, signal: AbortSignal): Promise<IndexOutcome> {
    signal.throwIfAborted();
    const read = new FirstRead(task.read);
    const giveUp = (): void => read.giveUp();
    signal.addEventListener('abort', giveUp);
    try {
      const outcome = await (coming ? this.#whileComing(task, coming, signal) : this.#inThread(task));
      if ('error' in outcome) signal.throwIfAborted();
      return outcome;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #inThread(task: IndexTask | PortableTask): Promise<IndexOutcome> {
    return (await this.#pool.run(task)) as IndexOutcome;
  }

  /** Throws what bringing the blob in throws: the thread knows only that it has failed. */
  async #whileComing(task: IndexTask, coming: ComingBlob, wanted: AbortSignal): Promise<IndexOutcome> {
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, wanted]);
    const { port1: port, port2: asks } = new MessageChannel();
    const failures: unknown[] = [];
    answerAsks(port, async (offset, end) => {
      try {
        await unlessAborted(() => coming.bring(offset, end), signal);
      } catch (error) {
        failures.push(error);
        throw error;
      }
    });
    const stream = coming.stream(signal).catch(() => undefined); // what has not come is asked for again, and fails again
    try {
      const outcome: IndexOutcome = await this.#pool.run({ ...task, asks }, { transferList: [asks] });
      if (failures.length > 0) throw failures[0];
      return outcome;
    } finally {
      ended.abort();
      port.close();
      await unlessAborted(() => stream, this.#closing.signal).catch(() => undefined);
    }
  }
}

function recordIn(outcome: IndexOutcome): BlobRecord {
  if ('error' in outcome) throw new CrfsError(outcome.error.code, outcome.error.message);
  return outcome.record;
}
