// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import type { Logger } from 'pino';
import { addon } from '../../native/addon.js';
import { regionsOf } from '../../workers/prefetch/readahead.js';
import type { Ahead, Want } from '../../workers/serve/messages.js';
import type { CacheLayout } from '../cache/layout.js';
import { type BlobRecord, readRecord, writeRecord } from '../cache/records.js';
import { blobLimit, sizeLimit } from '../cache/trim.js';
import { CrfsError, type ErrorCode } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { download } from '../fetch/background.js';
import { BLOCK } from '../fetch/blocks.js';
import { Traffic } from '../fetch/traffic.js';
import { IndexReader } from '../index/reader.js';
import type { Settings } from '../settings/options.js';
import type { LayerBlob } from './blob.js';
import { Crew } from './crew.js';
import type { Indexer } from './indexer.js';
import type { ResolvedLayer } from './resolver.js';

const WRONG_BYTES: ReadonlySet<ErrorCode> = new Set(['CRFS_BAD_LAYER', 'CRFS_NOT_STARGZ', 'CRFS_DIGEST']);

/** A layer that mounts use now. */
export interface OpenLayer {
  /** Its number in requests. */
  readonly number: number;
  readonly name: string;
  readonly identity: string;
  readonly record: BlobRecord;
  /** The manifest names the digest of its TOC. */
  readonly pinned: boolean;
  readonly indexFd: number;
  readonly blob: LayerBlob;
  users: number;
}

/** A request that waited for the network. */
export interface Fetched {
  readonly ring: number;
  readonly layer: number;
  readonly inode: number;
  readonly ms: number;
}

interface Entered extends OpenLayer {
  readonly shareKey: string;
  readonly index: IndexReader;
  readonly mapping: ArrayBuffer;
  readonly regions: SharedArrayBuffer;
  readonly background: AbortController;
}

/** The layers in use: each is indexed once, however many mounts ask for it at the same time. */
export class OpenLayers {
  readonly crew: Crew;
  readonly #settings: Settings;
  readonly #layout: CacheLayout;
  readonly #indexer: Indexer;
  readonly #log: Logger;
  readonly #byShareKey = new Map<string, Promise<Entered>>();
  readonly #open = new Map<number, Entered>();
  /** Those of layers that are being opened or closed among them. */
  readonly #blobs = new Set<LayerBlob>();
  readonly #traffic = new Traffic();
  /** Told of each request that had to wait for the network, while somebody wants to know. */
  onFetched: ((fetched: Fetched) => void) | undefined;
  #next = 1;
  #fetchedBefore = { bytes: 0, requests: 0 };

  constructor(settings: Settings, layout: CacheLayout, indexer: Indexer, log: Logger) {
    this.#settings = settings;
    this.#layout = layout;
    this.#indexer = indexer;
    this.#log = log;
    this.crew = new Crew(settings, layout, log, {
      want: (want) => void this.#fetch(want),
      ahead: (files) => this.#fetchAhead(files),
    });
  }

  /** Files of the cache that layers in use need. */
  pinned(): ReadonlySet<string> {
    const files = this.list().flatMap(({ identity, record: { key } }) => {
      const blob = this.#layout.blob(identity);
      return [this.#layout.index(key), this.#layout.record(identity), blob, `${blob}.blocks`];
    });
    return new Set(files);
  }

  /** What came over the network since the daemon started. */
  get fetched(): { readonly bytes: number; readonly requests: number } {
    let { bytes, requests } = this.#fetchedBefore;
    for (const blob of this.#blobs) {
      bytes += blob.remote?.fetcher.bytes ?? 0;
      requests += blob.remote?.fetcher.requests ?? 0;
    }
    return { bytes, requests };
  }

  /** The path of a file, by numbers that a mount gave: undefined where they mean nothing. */
  path(number: number, inode: number): string | undefined {
    const index = this.#open.get(number)?.index;
    return index && inode < index.inodes ? index.path(inode) : undefined;
  }

  /** To be called when objects were removed: what was filled ahead may have to be again. */
  forgetReadahead(): void {
    for (const { regions } of this.#open.values()) new Uint8Array(regions).fill(0);
  }

  list(): OpenLayer[] {
    return [...this.#open.values()];
  }

  /** Takes a layer into use, until `release`. Throws what reading its TOC throws. */
  async use(resolved: ResolvedLayer): Promise<OpenLayer> {
    const { shareKey } = resolved;
    let opening = this.#byShareKey.get(shareKey);
    if (opening === undefined) {
      opening = this.#enter(resolved);
      this.#byShareKey.set(shareKey, opening);
      opening.catch(() => this.#byShareKey.delete(shareKey));
    }
    const layer = await opening;
    if (this.#open.get(layer.number) !== layer) return this.use(resolved); // released meanwhile
    checkToc(resolved, layer.record); // other manifests may say other things of the same blob
    layer.users++;
    return layer;
  }

  async release({ number }: OpenLayer): Promise<void> {
    const layer = this.#open.get(number);
    if (layer === undefined || --layer.users > 0) return;
    this.#byShareKey.delete(layer.shareKey);
    this.#open.delete(number);
    layer.background.abort();
    await this.crew.drop(number);
    addon.unmap(layer.mapping);
    closeSync(layer.indexFd);
    await this.#close(layer.blob);
  }

  /** What it has fetched until then stays counted. */
  async #close(blob: LayerBlob): Promise<void> {
    await blob.close();
    this.#blobs.delete(blob);
    this.#fetchedBefore.bytes += blob.remote?.fetcher.bytes ?? 0;
    this.#fetchedBefore.requests += blob.remote?.fetcher.requests ?? 0;
  }

  async #enter(resolved: ResolvedLayer): Promise<Entered> {
    this.crew.start();
    const number = this.#next++;
    const blob = await resolved.openBlob(this.#traffic, (offset, end) => this.#arrived(number, offset, end));
    this.#blobs.add(blob);
    try {
      const layer = await this.#describe(number, resolved, blob);
      this.#open.set(number, layer);
      const { indexFd, name, record, regions } = layer;
      this.crew.add({
        number,
        name,
        indexFd,
        blobFd: blob.fd,
        tocOffset: record.tocOffset,
        ...(blob.remote ? { blocks: blob.remote.blocks.shared } : {}),
        regions,
      });
      if (blob.remote) void this.#download(layer);
      return layer;
    } catch (error) {
      await this.#close(blob);
      throw error;
    }
  }

  async #describe(number: number, resolved: ResolvedLayer, blob: LayerBlob): Promise<Entered> {
    const { name, identity, shareKey, tocDigest } = resolved;
    const known = this.#known(identity);
    const record = known ? this.#checked(known, resolved) : await this.#readSound(resolved, blob);
    const indexFd = openSync(this.#layout.index(record.key), 'r');
    const mapping = addon.map(indexFd, false);
    const index = new IndexReader(mapping);
    const pinned = tocDigest !== undefined;
    const background = new AbortController();
    const regions = new SharedArrayBuffer(regionsOf(blob.size, this.#settings.readahead));
    const facts = { number, name, identity, shareKey, record, pinned, users: 0 };
    return { ...facts, indexFd, blob, index, mapping, background, regions };
  }

  #known(identity: string): BlobRecord | undefined {
    const record = readRecord(this.#layout, identity);
    return record && existsSync(this.#layout.index(record.key)) ? record : undefined;
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

  /** Reads the TOC; once more, fetched anew, where what is wrong with it may be the cache's fault, or that of a mirror. */
  async #readSound(resolved: ResolvedLayer, blob: LayerBlob): Promise<BlobRecord> {
    const { blocks, fetcher } = blob.remote ?? {};
    const kept = blocks?.covers(blob.size - 1, blob.size) ?? false;
    try {
      return this.#checked(await this.#read(resolved, blob), resolved);
    } catch (error) {
      const wrong = error instanceof CrfsError && WRONG_BYTES.has(error.code);
      const isElsewhere = kept || fetcher?.hasOtherPlace;
      if (!wrong || !isElsewhere || !blocks?.doubt(0, blob.size)) throw error;
      this.#log.warn({ layer: resolved.name }, `fetching its TOC again: ${error.message}`);
      return this.#checked(await this.#read(resolved, blob), resolved);
    }
  }

  async #read({ name, identity }: ResolvedLayer, blob: LayerBlob): Promise<BlobRecord> {
    const started = performance.now();
    const toc = await blob.prepareToc();
    try {
      const task = { fd: blob.fd, name, identity, ...(toc ? { tocFd: toc.fd } : {}) };
      const record = await this.#indexer.index(task, () => this.crew.board.generation);
      writeRecord(this.#layout, identity, record);
      this.#log.info(
        { layer: name, ...record, ms: Math.round(performance.now() - started) },
        'read the TOC of a layer',
      );
      return record;
    } finally {
      await toc?.close();
    }
  }

  /** Fetches the chunks that a request waits for, and has it asked again. */
  async #fetch({ layer: number, inode, ring, position }: Want): Promise<void> {
    const layer = this.#open.get(number);
    const path = layer?.index.path(inode);
    const ranges = layer ? rangesOf(layer, inode) : [];
    const started = performance.now();
    try {
      for (const [offset, end] of ranges) await layer?.blob.remote?.fetcher.need(offset, end);
      this.onFetched?.({ ring, layer: number, inode, ms: performance.now() - started });
      addon.complete(ring, position, constants.errno.EAGAIN);
    } catch (error) {
      this.#log.warn({ layer: layer?.name, path }, `cannot fetch ${path}: ${(error as Error).message}`);
      addon.complete(ring, position, isNoSpace(error) ? constants.errno.ENOSPC : constants.errno.EIO);
    }
  }

  /** Fetches files that somebody is about to ask for. Should it fail, whoever asks is told why. */
  #fetchAhead(files: Ahead): void {
    for (const { layer: number, inode } of files) {
      const layer = this.#open.get(number);
      const fetcher = layer?.blob.remote?.fetcher;
      for (const [offset, end] of layer ? rangesOf(layer, inode) : []) {
        this.#traffic.demand(async () => await fetcher?.prefetch(offset, end)).catch(() => undefined);
      }
    }
  }

  /** Whether blobs may grow by what nobody waits for. */
  #hasRoom(): boolean {
    const files = new Set([...this.#open.values()].flatMap(({ blob }) => blob.remote?.file ?? []));
    const present = [...files].reduce((sum, { blocks }) => sum + blocks.present * BLOCK, 0);
    return present < blobLimit(sizeLimit(this.#layout, this.#settings['max-size']));
  }

  /** Has the files filled that have arrived as a whole. */
  #arrived(number: number, offset: number, end: number): void {
    const layer = this.#open.get(number);
    if (layer === undefined) return;
    const first = layer.index.chunkAt(offset);
    const count = layer.index.chunkAt(end) - first;
    if (count > 0) addon.submit(addon.ownRings.readahead, number, addon.layout.constants.noInode, first, count);
  }

  async #download({ name, blob, index, background: { signal } }: Entered): Promise<void> {
    if (blob.remote === undefined) return;
    const { background, 'background-rate': rate } = this.#settings;
    try {
      const { remote } = blob;
      await this.#traffic.demand(async () => undefined); // whoever mounts is about to read
      const traffic = this.#traffic;
      const hasRoom = (): boolean => this.#hasRoom();
      const all = background === 'on';
      const done = await download({ ...remote, traffic, prefetchEnd: index.prefetchEnd, all, rate, hasRoom, signal });
      if (!done) this.#log.warn({ layer: name }, 'background download ended: the cache has no room for more of it');
    } catch (error) {
      if (!signal.aborted) this.#log.warn({ layer: name }, `background download ended: ${(error as Error).message}`);
    }
  }
}

/** Where the chunks of a file lie in the blob: one range where they lie together. */
function rangesOf({ index, record }: Entered, inode: number): [offset: number, end: number][] {
  const ranges: [number, number][] = [];
  const first = index.chunkFirst(inode);
  for (let chunk = first; chunk < first + index.chunkCount(inode); chunk++) {
    const offset = index.chunkOffset(chunk);
    const end = Math.min(index.chunkEnd(chunk), record.tocOffset);
    const last = ranges.at(-1);
    if (last && last[1] === offset) last[1] = end;
    else ranges.push([offset, end]);
  }
  return ranges;
}

/** Throws CRFS_DIGEST where the manifest names the TOC, and it is another one than that of the record. */
function checkToc({ name, tocDigest }: ResolvedLayer, record: BlobRecord): void {
  if (tocDigest === undefined || record.tocDigest === tocDigest) return;
  const found = `sha256 ${record.tocDigest}, not ${tocDigest}`;
  throw new CrfsError('CRFS_DIGEST', `${name}: its TOC is not the one of the manifest: ${found}`);
}
