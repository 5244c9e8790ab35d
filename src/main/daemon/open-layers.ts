// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync, rmSync } from 'node:fs';
import type { Logger } from 'pino';
import { addon } from '../../native/addon.js';
import { regionsOf } from '../../workers/prefetch/readahead.js';
import { hexOf } from '../blob/digest.js';
import { type BlobRecord, readIndexedRecord, writeRecord } from '../cache/records.js';
import { blobLimit, keptLimit, sizeLimit } from '../cache/trim.js';
import { blocksOf, type CacheLayout } from '../disk/cache-layout.js';
import { CrfsError, type ErrorCode } from '../errors/error.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import { Supply } from '../fetch/supply.js';
import { IndexReader } from '../index/reader.js';
import type { PlacedIndex } from '../index/span.js';
import type { LazyName } from '../plain/lazy-names.js';
import { isPlain, plainFormats } from '../plain/plain.js';
import type { Settings } from '../settings/options.js';
import { type FetchedIndex, fetchIndex } from './attached-index.js';
import { Crew } from './crew.js';
import type { Indexer } from './indexer.js';
import { Opening, type Reading } from './reading.js';
import type { IndexedLayer, ResolvedLayer } from './resolved.js';
import { SharedOpening } from './shared-opening.js';

const WRONG_BYTES: ReadonlySet<ErrorCode> = new Set(['CRFS_BAD_LAYER', 'CRFS_NOT_STARGZ', 'CRFS_DIGEST']);

/** A layer that mounts use now. */
export interface OpenLayer {
  /** Its number in requests. */
  readonly number: number;
  readonly name: string;
  readonly identity: string;
  /** What its record is kept by: its identity, or `IndexedLayer.identity`. */
  readonly recordedAs: string;
  readonly record: BlobRecord;
  /** Of its blob, where a manifest names it. */
  readonly digest?: string;
  /** The manifest names the digest of its TOC, or of the blob, where that is its own TOC. */
  readonly pinned: boolean;
  readonly index: IndexReader;
  readonly indexFd: number;
  readonly blob: LayerBlob;
  users: number;
}

interface Entered extends OpenLayer {
  readonly shareKey: string;
  readonly mapping: ArrayBuffer;
  readonly regions: SharedArrayBuffer;
}

/** A layer to be opened. */
interface Found {
  readonly resolved: ResolvedLayer;
  readonly lazy: LazyName;
  readonly blob: LayerBlob;
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

/** The layers in use: each is indexed once, however many mounts ask for it at the same time. */
export class OpenLayers {
  readonly crew: Crew;
  readonly supply: Supply;
  readonly #settings: Settings;
  readonly #layout: CacheLayout;
  readonly #indexer: Indexer;
  readonly #log: Logger;
  readonly #byShareKey = new Map<string, SharedOpening<Entered>>();
  readonly #open = new Map<number, Entered>();
  /** Identities of those that are being opened. */
  readonly #opening = new Set<string>();
  /** Those whose TOC is being looked for, by share key. */
  readonly #reading = new Map<string, Opening>();
  #next = 1;

  constructor(settings: Settings, layout: CacheLayout, indexer: Indexer, log: Logger) {
    this.#settings = settings;
    this.#layout = layout;
    this.#indexer = indexer;
    this.#log = log;
    this.supply = new Supply({
      all: settings.background === 'on',
      rate: settings['background-rate'],
      limit: () => blobLimit(this.#limit),
      warn: (facts, message) => log.warn(facts, message),
    });
    this.crew = new Crew(settings, layout, log, this.supply);
  }

  /** Bytes that the cache may take. */
  get #limit(): number {
    return sizeLimit(this.#layout, this.#settings['max-size']);
  }

  /** Files of the cache that layers in use need. */
  pinned(): ReadonlySet<string> {
    const indexes = this.list().map(({ record: { key } }) => this.#layout.index(key));
    const records = this.list().map(({ recordedAs }) => this.#layout.record(recordedAs));
    const identities = [...this.list().map(({ identity }) => identity), ...this.#opening];
    const files = identities.flatMap((identity) => {
      const blob = this.#layout.blob(identity);
      return [this.#layout.record(identity), blob, blocksOf(blob)];
    });
    return new Set([...indexes, ...records, ...files]);
  }

  /** The index of a layer, by a number that a mount gave: undefined where it means nothing. */
  placed(number: number): PlacedIndex | undefined {
    const layer = this.#open.get(number);
    return layer && { index: layer.index, tocOffset: layer.record.tocOffset };
  }

  /** To be called when objects were removed: what was filled ahead may have to be again. */
  forgetReadahead(): void {
    for (const { regions } of this.#open.values()) new Uint8Array(regions).fill(0);
  }

  list(): OpenLayer[] {
    return [...this.#open.values()];
  }

  /** How far a layer has come that has no TOC, and is just being read as a whole. */
  reading(resolved: ResolvedLayer, lazy: LazyName = this.#settings.lazy): Reading | undefined {
    return this.#reading.get(this.#shared(resolved, lazy).shareKey)?.reading;
  }

  /**
   * Takes a layer into use, until `release`; `lazy`: what becomes of it if it has no TOC, and no index is here. Throws what
   * reading its TOC throws, and the signal's reason.
   */
  async use(layer: ResolvedLayer, lazy: LazyName | undefined, signal: AbortSignal): Promise<OpenLayer> {
    const how = lazy ?? this.#settings.lazy;
    return await this.#use(this.#shared(layer, how), how, signal);
  }

  /** A layer without a TOC is shared by mounts that want the same of it: neither waits for another, or takes an index that it does not want. */
  #shared(layer: ResolvedLayer, lazy: LazyName): ResolvedLayer {
    const { indexed, ...others } = layer;
    if (layer.tocDigest !== undefined) return others;
    const shareKey = `${lazy} ${layer.shareKey}`;
    const isTaken = indexed !== undefined && this.#settings.indexes === 'on';
    return isTaken
      ? { ...layer, shareKey: `${shareKey} ${indexed.identity} ${layer.seen ?? ''}` }
      : { ...others, shareKey };
  }

  async #use(resolved: ResolvedLayer, lazy: LazyName, signal: AbortSignal): Promise<OpenLayer> {
    const shared = this.#byShareKey.get(resolved.shareKey);
    const opening = shared === undefined || shared.isGivenUp ? this.#begin(resolved, lazy) : shared;
    const layer = await opening.wait(signal);
    if (this.#open.get(layer.number) !== layer) return this.#use(resolved, lazy, signal); // released meanwhile
    checkToc(resolved, layer.record); // other manifests may say other things of the same blob
    layer.users++;
    return layer;
  }

  #begin(resolved: ResolvedLayer, lazy: LazyName): SharedOpening<Entered> {
    const { identity, shareKey } = resolved;
    const open = async (signal: AbortSignal): Promise<Entered> => {
      this.#opening.add(identity);
      try {
        return await this.#enter(resolved, lazy, signal);
      } catch (error) {
        if (this.#byShareKey.get(shareKey) === opening) this.#byShareKey.delete(shareKey);
        throw error;
      } finally {
        this.#opening.delete(identity);
      }
    };
    const opening = new SharedOpening(open, (layer) => void this.release(layer));
    this.#byShareKey.set(shareKey, opening);
    return opening;
  }

  async release({ number }: OpenLayer): Promise<void> {
    const layer = this.#open.get(number);
    if (layer === undefined || --layer.users > 0) return;
    if (this.#byShareKey.get(layer.shareKey)?.opened === layer) this.#byShareKey.delete(layer.shareKey);
    this.#open.delete(number);
    this.supply.remove(number);
    await this.crew.drop(number);
    addon.unmap(layer.mapping);
    closeSync(layer.indexFd);
    await this.supply.close(layer.blob);
  }

  async #enter(resolved: ResolvedLayer, lazy: LazyName, signal: AbortSignal): Promise<Entered> {
    this.crew.start();
    const number = this.#next++;
    const blob = await this.supply.open(number, (...to) => resolved.openBlob(...to));
    try {
      const layer = await this.#describe(number, { resolved, lazy, blob, signal });
      this.#open.set(number, layer);
      const { index, indexFd, name, regions } = layer;
      const { tocOffset } = layer.record;
      this.crew.add({
        number,
        name,
        indexFd,
        blobFd: blob.fd,
        tocOffset,
        ...(blob.remote ? { blocks: blob.remote.blocks.shared } : {}),
        isHere: blob.remote?.blocks.covers(0, blob.size) ?? true,
        regions,
      });
      if (blob.remote) this.supply.add({ number, name, index, tocOffset, remote: blob.remote });
      return layer;
    } catch (error) {
      await this.supply.close(blob);
      throw error;
    }
  }

  async #describe(number: number, found: Found): Promise<Entered> {
    const { resolved, blob } = found;
    const { name, identity, shareKey, digest } = resolved;
    const { recordedAs, record } = await this.#recordOf(found);
    const indexFd = openSync(this.#layout.index(record.key), 'r');
    const mapping = addon.map(indexFd, false);
    const index = new IndexReader(mapping);
    const pinned = namedToc(resolved, record) !== undefined;
    const regions = new SharedArrayBuffer(regionsOf(blob.size, this.#settings.readahead));
    const named = digest === undefined ? {} : { digest };
    const facts = { number, name, identity, recordedAs, shareKey, ...named, record, pinned, users: 0 };
    return { ...facts, indexFd, blob, index, mapping, regions };
  }

  /** What is known of a layer from before, or by an index that is attached to its image, or else by its TOC. */
  async #recordOf(found: Found): Promise<Pick<OpenLayer, 'recordedAs' | 'record'>> {
    const { identity, indexed, seen } = found.resolved;
    const known = [identity, ...(indexed ? [indexed.identity] : [])].flatMap((recordedAs) => {
      const record = readIndexedRecord(this.#layout, recordedAs);
      return record === undefined ? [] : [{ recordedAs, record }];
    });
    const one = known.find(({ record }) => record.tocDigest === seen) ?? known[0];
    if (one !== undefined) return { ...one, record: this.#checked(one.record, found.resolved) };
    const record = indexed && (await this.#readAttached(found, indexed));
    if (indexed !== undefined && record !== undefined) return { recordedAs: indexed.identity, record };
    return { recordedAs: identity, record: await this.#readSound(found) };
  }

  /** What is known of a layer, if its TOC is the one of the manifest; else it is forgotten, and CRFS_DIGEST is thrown. */
  #checked(record: BlobRecord, resolved: ResolvedLayer): BlobRecord {
    try {
      checkToc(resolved, record);
      return record;
    } catch (error) {
      rmSync(this.#layout.record(resolved.identity), { force: true });
      throw error;
    }
  }

  /** By an index that is attached to its image, if there is one, and it is sound; else undefined: it is done without. */
  async #readAttached({ resolved, blob }: Found, indexed: IndexedLayer): Promise<BlobRecord | undefined> {
    const { name, identity } = resolved;
    let index: FetchedIndex | undefined;
    try {
      index = await fetchIndex(indexed, blob, this.#layout.tmp);
      if (index === undefined) return undefined;
      const task = { fd: blob.fd, name, identity, indexFd: index.fd };
      const record = await this.#indexer.indexPortable(task, () => this.crew.board.generation);
      writeRecord(this.#layout, indexed.identity, record);
      this.#log.info({ layer: name, ...record }, 'took the index that is attached to its image');
      return record;
    } catch (error) {
      if (!(error instanceof CrfsError)) throw error;
      this.#log.warn({ layer: name }, `takes no index that is attached to its image: ${error.message}`);
      return undefined;
    } finally {
      await index?.close();
    }
  }

  /** Reads the TOC; once more, fetched anew, where what is wrong with it may be the cache's fault, or that of a mirror. */
  async #readSound(found: Found): Promise<BlobRecord> {
    const { resolved, blob } = found;
    const { blocks, fetcher } = blob.remote ?? {};
    const kept = blocks?.covers(blob.size - 1, blob.size) ?? false;
    try {
      return this.#checked(await this.#read(found), resolved);
    } catch (error) {
      const wrong = error instanceof CrfsError && WRONG_BYTES.has(error.code);
      const isElsewhere = kept || fetcher?.hasOtherPlace;
      if (!wrong || !isElsewhere || !blocks?.doubt(0, blob.size)) throw error;
      this.#log.warn({ layer: resolved.name }, `fetching its TOC again: ${error.message}`);
      return this.#checked(await this.#read(found), resolved);
    }
  }

  async #read({ resolved, lazy, blob, signal }: Found): Promise<BlobRecord> {
    const { name, identity, tocPosition, tocDigest, shareKey } = resolved;
    const started = performance.now();
    const opening = new Opening(name, blob);
    this.#reading.set(shareKey, opening);
    let toc: LayerBlob | undefined;
    try {
      const { elsewhere, coming } = await blob.prepareToc(plainFormats(lazy, tocDigest, opening.read));
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
      const { board } = this.crew;
      const limit = keptLimit(this.#layout, this.#limit, coming ? blob.size : 0);
      const keeping = { board: board.buffer, workers: this.#settings.workers, limit };
      const record = await this.#indexer.index(task, () => board.generation, { keeping, coming, signal });
      writeRecord(this.#layout, identity, record);
      this.#log.info(
        { layer: name, ...record, ms: Math.round(performance.now() - started) },
        'read the TOC of a layer',
      );
      return record;
    } finally {
      this.#reading.delete(shareKey);
      await toc?.close();
    }
  }
}

/** The digest in hex by which the manifest names the TOC of a layer: where all of the layer is its TOC, that of the blob. */
function namedToc({ digest, tocDigest }: ResolvedLayer, { kind }: BlobRecord): string | undefined {
  return isPlain(kind) ? digest && hexOf(digest) : tocDigest;
}

/** Throws CRFS_DIGEST where the manifest names the TOC, and it is another one than that of the record. */
function checkToc(resolved: ResolvedLayer, record: BlobRecord): void {
  const named = namedToc(resolved, record);
  if (named === undefined || record.tocDigest === named) return;
  const what = isPlain(record.kind)
    ? 'it has other bytes than the manifest says'
    : 'its TOC is not the one of the manifest';
  throw new CrfsError('CRFS_DIGEST', `${resolved.name}: ${what}: sha256 ${record.tocDigest}, not ${named}`);
}
