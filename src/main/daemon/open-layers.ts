// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync } from 'node:fs';
import type { Logger } from 'pino';
import { addon } from '../../native/addon.js';
import { regionsOf } from '../../workers/prefetch/readahead.js';
import { type BlobRecord, readIndexedRecord, writeRecord } from '../cache/records.js';
import { blobLimit, sizeLimit } from '../cache/trim.js';
import { blocksOf, type CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import { Supply } from '../fetch/supply.js';
import { IndexReader } from '../index/reader.js';
import type { PlacedIndex } from '../index/span.js';
import type { LazyName } from '../plain/lazy-names.js';
import type { Settings } from '../settings/options.js';
import { type FetchedIndex, fetchIndex } from './attached-index.js';
import { Crew } from './crew.js';
import type { Indexer } from './indexer.js';
import { checkToc, type Found, LayerReader, namedToc, type Wanted } from './layer-reader.js';
import type { Reading } from './reading.js';
import type { IndexedLayer, ResolvedLayer } from './resolved.js';
import { SharedOpening } from './shared-opening.js';

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
  readonly #reader: LayerReader;
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
    const { crew } = this;
    this.#reader = new LayerReader({ layout, indexer, crew, log, workers: settings.workers, limit: () => this.#limit });
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
    return this.#reader.reading(this.#wanted(resolved, lazy).readKey);
  }

  /**
   * Takes a layer into use, until `release`; `lazy`: what becomes of it if it has no TOC, and no index is here. Throws what
   * reading its TOC throws, and the signal's reason.
   */
  async use(layer: ResolvedLayer, lazy: LazyName | undefined, signal: AbortSignal): Promise<OpenLayer> {
    return await this.#use(this.#wanted(layer, lazy ?? this.#settings.lazy), signal);
  }

  /** A layer without a TOC is shared by mounts that want the same of it: neither waits for another, or takes an index that it does not want. */
  #wanted(layer: ResolvedLayer, lazy: LazyName): Wanted {
    const { indexed, ...others } = layer;
    if (layer.tocDigest !== undefined) return { resolved: others, lazy, readKey: layer.shareKey };
    const readKey = `${lazy} ${layer.shareKey}`;
    const isTaken = indexed !== undefined && this.#settings.indexes === 'on';
    const resolved = isTaken
      ? { ...layer, shareKey: `${readKey} ${indexed.identity} ${layer.seen ?? ''}` }
      : { ...others, shareKey: readKey };
    return { resolved, lazy, readKey };
  }

  async #use(wanted: Wanted, signal: AbortSignal): Promise<OpenLayer> {
    const { resolved } = wanted;
    const shared = this.#byShareKey.get(resolved.shareKey);
    const opening = shared === undefined || shared.isGivenUp ? this.#begin(wanted) : shared;
    const layer = await opening.wait(signal);
    if (this.#open.get(layer.number) !== layer) return this.#use(wanted, signal); // released meanwhile
    checkToc(resolved, layer.record); // other manifests may say other things of the same blob
    layer.users++;
    return layer;
  }

  #begin(wanted: Wanted): SharedOpening<Entered> {
    const { identity, shareKey } = wanted.resolved;
    const open = async (signal: AbortSignal): Promise<Entered> => {
      this.#opening.add(identity);
      try {
        return await this.#enter(wanted, signal);
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

  async #enter(wanted: Wanted, signal: AbortSignal): Promise<Entered> {
    this.crew.start();
    const number = this.#next++;
    const blob = await this.supply.open(number, (...to) => wanted.resolved.openBlob(...to));
    try {
      const layer = await this.#describe(number, { ...wanted, blob, signal });
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
      await this.#reader.over(blob); // others may wait for what is read of it
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
    // a mount that has seen another index than the attached one goes by what comes of all of the layer
    const others = seen === undefined ? known : known.filter(({ recordedAs }) => recordedAs === identity);
    const one = known.find(({ record }) => record.key === seen) ?? others[0];
    if (one !== undefined) return { ...one, record: this.#reader.checked(one.record, found.resolved) };
    const record = indexed && seen === undefined ? await this.#readAttached(found, indexed) : undefined;
    if (indexed !== undefined && record !== undefined) return { recordedAs: indexed.identity, record };
    return { recordedAs: identity, record: await this.#reader.read(found) };
  }

  /** By an index that is attached to its image, if there is one, and it is sound; else undefined: it is done without. Rejects with the signal's reason. */
  async #readAttached({ resolved, blob, signal }: Found, indexed: IndexedLayer): Promise<BlobRecord | undefined> {
    const { name, identity } = resolved;
    let index: FetchedIndex | undefined;
    try {
      index = await fetchIndex(indexed, blob, this.#layout.tmp, signal);
      if (index === undefined) return undefined;
      // what has no digest is what this index makes of the blob, and no other one
      const task = {
        fd: blob.fd,
        name,
        identity: `${identity} by ${index.digest}`,
        indexFd: index.fd,
        form: index.form,
      };
      const record = await this.#indexer.indexPortable(task, () => this.crew.board.generation);
      writeRecord(this.#layout, indexed.identity, record);
      this.#log.info({ layer: name, ...record }, 'took the index that is attached to its image');
      return record;
    } catch (error) {
      if (!(error instanceof CrfsError) || signal.aborted) throw error;
      this.#log.warn({ layer: name }, `takes no index that is attached to its image: ${error.message}`);
      return undefined;
    } finally {
      await index?.close();
    }
  }
}
