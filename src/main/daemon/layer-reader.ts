// SPDX-License-Identifier: GPL-3.0-or-later

import { rmSync } from 'node:fs';
import type { Logger } from 'pino';
import { hexOf } from '../blob/digest.js';
import { type BlobRecord, readIndexedRecord, writeRecord } from '../cache/records.js';
import { keptLimit } from '../cache/trim.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError, type ErrorCode } from '../errors/error.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import type { LazyName } from '../plain/lazy-names.js';
import { isPlain, plainFormats } from '../plain/plain.js';
import type { Crew } from './crew.js';
import type { Indexer } from './indexer.js';
import { Opening, type Reading } from './reading.js';
import type { ResolvedLayer } from './resolved.js';
import { SharedOpening } from './shared-opening.js';

const WRONG_BYTES: ReadonlySet<ErrorCode> = new Set(['CRFS_BAD_LAYER', 'CRFS_NOT_STARGZ', 'CRFS_DIGEST']);

/** A layer that is wanted. */
export interface Wanted {
  readonly resolved: ResolvedLayer;
  /** What becomes of it if it has no TOC. */
  readonly lazy: LazyName;
  /** One reading of it serves all for whom this is equal. */
  readonly readKey: string;
}

/** A layer to be opened. */
export interface Found extends Wanted {
  readonly blob: LayerBlob;
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

export interface LayerReaderMeans {
  readonly layout: CacheLayout;
  readonly indexer: Indexer;
  readonly crew: Crew;
  readonly log: Logger;
  /** Threads that serve. */
  readonly workers: number;
  /** Bytes that the cache may take. */
  readonly limit: () => number;
}

/** Makes layers known by what is in them: each is read once for all who want it at the same time, whatever else they would take. */
export class LayerReader {
  readonly #means: LayerReaderMeans;
  /** By read key: how far that is, and what comes of it. */
  readonly #reading = new Map<string, Opening>();
  readonly #reads = new Map<string, SharedOpening<BlobRecord>>();
  /** When it will have ended, by the blob that is read. */
  readonly #readsOf = new WeakMap<LayerBlob, Promise<void>>();

  constructor(means: LayerReaderMeans) {
    this.#means = means;
  }

  /** How far a layer has come that has no TOC, and is just being read as a whole. */
  reading(readKey: string): Reading | undefined {
    return this.#reading.get(readKey)?.reading;
  }

  /**
   * What is in a layer, and its index in the cache. Throws CRFS_DIGEST where its TOC is not the one of the manifest, what reading it
   * throws, and the signal's reason: the blob may be in use until `over` then.
   */
  async read(found: Found): Promise<BlobRecord> {
    const { resolved, readKey, blob, signal } = found;
    const known = resolved.indexed && readIndexedRecord(this.#means.layout, resolved.identity); // others, while its registry was asked
    if (known !== undefined) return this.checked(known, resolved);
    const shared = this.#reads.get(readKey);
    if (shared !== undefined && !shared.isGivenUp) return this.checked(await shared.wait(signal), resolved);
    const read = new SharedOpening(
      async (wanted) => await this.#readSound({ ...found, signal: wanted }),
      () => undefined,
    );
    this.#reads.set(readKey, read);
    const forget = (): void => {
      if (this.#reads.get(readKey) === read) this.#reads.delete(readKey);
    };
    this.#readsOf.set(blob, read.ended.then(forget));
    return await read.wait(signal);
  }

  /** What is known of a layer, if its TOC is the one of the manifest. Throws CRFS_DIGEST if not: it is forgotten then. */
  checked(record: BlobRecord, resolved: ResolvedLayer): BlobRecord {
    try {
      checkToc(resolved, record);
      return record;
    } catch (error) {
      rmSync(this.#means.layout.record(resolved.identity), { force: true });
      throw error;
    }
  }

  /** Resolves when nothing is read of a blob any more, for whomever that was. */
  async over(blob: LayerBlob): Promise<void> {
    await this.#readsOf.get(blob);
  }

  /** Reads the TOC; once more, fetched anew, where what is wrong with it may be the cache's fault, or that of a mirror. */
  async #readSound(found: Found): Promise<BlobRecord> {
    const { resolved, blob } = found;
    const { blocks, fetcher } = blob.remote ?? {};
    const kept = blocks?.covers(blob.size - 1, blob.size) ?? false;
    try {
      return this.checked(await this.#read(found), resolved);
    } catch (error) {
      const wrong = error instanceof CrfsError && WRONG_BYTES.has(error.code);
      const isElsewhere = kept || fetcher?.hasOtherPlace;
      if (!wrong || !isElsewhere || !blocks?.doubt(0, blob.size)) throw error;
      this.#means.log.warn({ layer: resolved.name }, `fetching its TOC again: ${error.message}`);
      return this.checked(await this.#read(found), resolved);
    }
  }

  async #read({ resolved, lazy, readKey, blob, signal }: Found): Promise<BlobRecord> {
    const { name, identity, tocPosition, tocDigest } = resolved;
    const started = performance.now();
    const opening = new Opening(name, blob);
    this.#reading.set(readKey, opening);
    let toc: LayerBlob | undefined;
    try {
      const { elsewhere, coming } = await blob.prepareToc(plainFormats(lazy, tocDigest, { read: opening.read }));
      toc = elsewhere;
      const task = {
        fd: blob.fd,
        name,
        identity,
        lazy,
        read: opening.read.shared,
        ...(tocDigest === undefined ? {} : { tocDigest }),
        ...(tocPosition === undefined ? {} : { tocPosition }),
        ...(toc ? { tocFd: toc.fd } : {}),
      };
      const { layout, indexer, crew, log, workers } = this.#means;
      const { board } = crew;
      const limit = keptLimit(layout, this.#means.limit(), coming ? blob.size : 0);
      const keeping = { board: board.buffer, workers, limit };
      const record = await indexer.index(task, () => board.generation, { keeping, coming, signal });
      writeRecord(layout, identity, record);
      log.info({ layer: name, ...record, ms: Math.round(performance.now() - started) }, 'read the TOC of a layer');
      return record;
    } finally {
      this.#reading.delete(readKey);
      await toc?.close();
    }
  }
}

/** The digest in hex by which the manifest names the TOC of a layer: where all of the layer is its TOC, that of the blob. */
export function namedToc({ digest, tocDigest }: ResolvedLayer, { kind }: BlobRecord): string | undefined {
  return isPlain(kind) ? digest && hexOf(digest) : tocDigest;
}

/** Throws CRFS_DIGEST where the manifest names the TOC, and it is another one than that of the record. */
export function checkToc(resolved: ResolvedLayer, record: BlobRecord): void {
  const named = namedToc(resolved, record);
  if (named === undefined || record.tocDigest === named) return;
  const what = isPlain(record.kind)
    ? 'it has other bytes than the manifest says'
    : 'its TOC is not the one of the manifest';
  throw new CrfsError('CRFS_DIGEST', `${resolved.name}: ${what}: sha256 ${record.tocDigest}, not ${named}`);
}
