// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { addon } from '../../native/addon.js';
import type { Ahead, Asked, Want } from '../../workers/messages.js';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { spanOf } from '../index/span.js';
import { download } from './background.js';
import { BLOCK } from './blocks.js';
import type { Arrival } from './fetcher.js';
import type { Flown } from './flown.js';
import type { LayerBlob } from './layer-blob.js';
import { fetchExpected } from './start-up.js';
import { Streams } from './streams.js';
import { hereBefore, rangesOf, type SuppliedLayer } from './supplied-layer.js';
import { Traffic } from './traffic.js';

/** A reader's window grows from this to this: bytes, or units of the link. */
const LEAST_WINDOW = 4 << 20;
const LONGEST_WINDOW = 16 << 20;
const LONGEST_WINDOW_UNITS = 8;

/** Chunks of a file mostly lie together. Where they do not, a request asks for so many ranges of the blob at a time. */
const RANGES_AT_ONCE = 16;

/** A download in the background: it goes on, has brought what it was to bring, found no room in the cache, or failed. */
export type Download = 'under way' | 'ended' | 'no room' | 'failed';

interface Supplied extends SuppliedLayer {
  /** Ends its download. */
  readonly background: AbortController;
  download: Download;
}

/** A request that waited for the network. */
export interface Fetched {
  readonly ring: number;
  readonly layer: number;
  readonly inode: number;
  readonly ms: number;
}

export interface SupplyOptions {
  /** Whether to download all of each layer in the background. */
  readonly all: boolean;
  /** Bytes a second that this may take; 0: no limit. */
  readonly rate: number;
  /** Bytes: where blobs take as many together, nothing more comes that nobody waits for. */
  readonly limit: () => number;
  readonly warn: (facts: object, message: string) => void;
}

/** The remote half of a read: brings the bytes of layers into their files, on demand, ahead of it, and in the background. */
export class Supply {
  readonly #options: SupplyOptions;
  readonly #layers = new Map<number, Supplied>();
  /** Those of layers that are being opened or closed among them. */
  readonly #blobs = new Set<LayerBlob>();
  readonly #traffic = new Traffic();
  readonly #streams = new Streams();
  /** By layer of which nothing is to be fetched by a guess: a signal that aborts when guesses are welcome again. */
  readonly #alone = new Map<number, AbortSignal>();
  #closed = { bytes: 0, requests: 0 };
  /** Each told of each request that has waited for the network, in vain or not. */
  readonly onFetched = new Set<(fetched: Fetched) => void>();
  /** Each told of each request on the wire for the blob of a layer, once that has ended. */
  readonly onFlown = new Set<(layer: number, flown: Flown) => void>();
  /**
   * Told, while somebody wants to know, which chunks of files that come chunk by chunk were asked for, with those around them that may
   * have been read without a word: what is fetched ahead of a reader, and what was here before it asked.
   */
  onAsked: ((asked: Asked) => void) | undefined;

  constructor(options: SupplyOptions) {
    this.#options = options;
  }

  /** What came over the network since the daemon started. */
  get fetched(): { readonly bytes: number; readonly requests: number } {
    let { bytes, requests } = this.#closed;
    for (const { remote } of this.#blobs) {
      bytes += remote?.fetcher.bytes ?? 0;
      requests += remote?.fetcher.requests ?? 0;
    }
    return { bytes, requests };
  }

  /** Opens the blob of the layer that will have this number: what arrives of it is filled once the layer is added. */
  async open(number: number, openBlob: (traffic: Traffic, arrived: Arrival) => Promise<LayerBlob>): Promise<LayerBlob> {
    const blob = await openBlob(this.#traffic, (offset, end) => this.#fillArrived(number, offset, end));
    this.#blobs.add(blob);
    if (blob.remote) {
      blob.remote.fetcher.onFlown = (flown) => {
        for (const tell of this.onFlown) tell(number, flown);
      };
    }
    return blob;
  }

  /** What it has fetched until then stays counted. */
  async close(blob: LayerBlob): Promise<void> {
    await blob.close();
    this.#blobs.delete(blob);
    this.#closed.bytes += blob.remote?.fetcher.bytes ?? 0;
    this.#closed.requests += blob.remote?.fetcher.requests ?? 0;
  }

  /** Supplies a layer from now on, and begins to download it behind its readers. */
  add(layer: SuppliedLayer): void {
    const background = new AbortController();
    const supplied: Supplied = { ...layer, background, download: 'under way' };
    this.#layers.set(layer.number, supplied);
    void this.#download(supplied);
  }

  /** What has become of downloading a layer in the background. */
  download(number: number): Download {
    return this.#layers.get(number)?.download ?? 'ended';
  }

  /**
   * Downloads all of a layer, without regard to settings of the background, until `signal` aborts. Rejects with CRFS_NO_SPACE
   * where the cache has no room for it, and with what the source rejects with.
   */
  async complete(number: number, signal: AbortSignal): Promise<void> {
    const layer = this.#layers.get(number);
    if (layer === undefined) return; // it is a file
    const { remote, name } = layer;
    const all = { prefetchEnd: remote.file.size, all: false, rate: 0, hasRoom: () => this.#hasRoom() };
    if (await download({ ...remote, ...all, traffic: this.#traffic, signal })) return;
    throw new CrfsError('CRFS_NO_SPACE', `${name}: the cache has no room for all of it; see the setting max-size`);
  }

  /**
   * Has what `find` resolves to fetched, in that order, before all that nobody waits for; that waits already while it is being
   * found. Until `signal` aborts, who reads of these layers gets what it asks for, and nothing around it. Resolves when it is there, `signal` aborts, or there is no room for more. Rejects with what a source rejects with.
   */
  async startUp(
    find: () => Promise<readonly { readonly layer: number; readonly offset: number; readonly end: number }[]>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#traffic.startUp(async () => {
      const ranges = await find();
      this.readAlone(new Set(ranges.map(({ layer }) => layer)), signal);
      const expected = ranges.flatMap(({ layer, offset, end }) => {
        const remote = this.#layers.get(layer)?.remote;
        return remote === undefined ? [] : [{ remote, offset, end }]; // it is a file
      });
      await fetchExpected(expected, () => this.#hasRoom(), signal);
    });
  }

  /** Until `signal` aborts, who reads of these layers gets what it asks for, and nothing around it. */
  readAlone(layers: Iterable<number>, signal: AbortSignal): void {
    for (const layer of layers) if (this.#layers.has(layer)) this.#alone.set(layer, signal);
  }

  remove(number: number): void {
    this.#layers.get(number)?.background.abort();
    this.#layers.delete(number);
    this.#alone.delete(number);
  }

  /** Fetches the chunks that a request waits for, and has it asked again. */
  async want({ position, ...asked }: Want): Promise<void> {
    const { ring, layer: number, inode } = asked;
    const layer = this.#layers.get(number);
    const path = layer?.index.path(inode);
    const started = performance.now();
    const onProgress = (): void => {
      if (position !== undefined) addon.progress(ring, position);
    };
    const answer = (errno: number): void => {
      if (position === undefined) return;
      const fetched = { ring, layer: number, inode, ms: performance.now() - started };
      for (const tell of this.onFetched) tell(fetched);
      addon.complete(ring, position, errno);
    };
    try {
      if (layer) await this.#fetch(layer, asked, onProgress);
      answer(constants.errno.EAGAIN);
    } catch (error) {
      this.#options.warn({ layer: layer?.name, path }, `cannot fetch ${path}: ${(error as Error).message}`);
      answer(isNoSpace(error) ? constants.errno.ENOSPC : constants.errno.EIO);
    }
  }

  /** Chunks of a file of a remote layer were read: fetches those that its reader goes on to. */
  follow({ ring, layer: number, inode, first, count }: Asked): void {
    const layer = this.#layers.get(number);
    if (layer === undefined) return;
    const { index, remote } = layer;
    const ofFile = index.chunkFirst(inode);
    const next = ofFile + first + count;
    const most = Math.max(LONGEST_WINDOW, LONGEST_WINDOW_UNITS * remote.link.unit);
    const key = `${number} ${inode}`;
    const { from: heard, window } = this.#streams.read(key, first, first + count, { least: LEAST_WINDOW, most });
    const chunks = index.chunkCount(inode);
    const tell = (upTo: number): void => {
      if (this.onAsked === undefined) return;
      const since = window > 0 ? heard : hereBefore(layer, inode, heard);
      this.onAsked({ ring, layer: number, inode, first: since, count: Math.min(upTo, chunks) - since });
    };
    if (next >= ofFile + chunks) {
      tell(chunks);
      return;
    }
    const [, fileEnd] = spanOf(layer, ofFile + chunks - 1);
    const from = index.chunkOffset(next);
    const end = Math.min(fileEnd, from + window);
    const reached = Math.max(first + count, index.chunkAt(end) - ofFile);
    this.#streams.reach(key, reached);
    tell(reached);
    remote.fetcher.ahead(inode, from, end);
  }

  /**
   * A file whose chunks are read one by one comes by these alone; of another one comes also what lies around it, unless it is known
   * what the start reads, or about to be: then that is fetched, and no guess.
   */
  async #fetch(layer: SuppliedLayer, run: Asked, onProgress: () => void): Promise<void> {
    const { fetcher } = layer.remote;
    const isPart = layer.index.chunkCount(run.inode) > run.count;
    const alone = isPart || this.#alone.get(layer.number)?.aborted === false;
    const ranges = rangesOf(layer, run);
    for (let at = 0; at < ranges.length; at += RANGES_AT_ONCE) {
      const some = ranges.slice(at, at + RANGES_AT_ONCE);
      const fetching = some.map(([offset, end]) => fetcher.need(offset, end, { alone, onProgress }));
      if (isPart && at === 0) this.follow(run); // behind what is waited for
      await Promise.all(fetching);
    }
  }

  /** Fetches files that somebody is about to ask for. Should it fail, whoever asks is told why. */
  ahead(files: Ahead): void {
    for (const { layer: number, inode } of files) {
      const layer = this.#layers.get(number);
      if (layer === undefined) continue;
      const all = { first: 0, count: layer.index.chunkCount(inode) };
      for (const [offset, end] of rangesOf(layer, { inode, ...all })) {
        this.#traffic.demand(() => layer.remote.fetcher.prefetch(offset, end, 'ahead')).catch(() => undefined);
      }
    }
  }

  /** Has the files filled that have arrived as a whole. */
  #fillArrived(number: number, offset: number, end: number): void {
    const layer = this.#layers.get(number);
    if (layer === undefined) return;
    const first = Math.max(0, layer.index.chunkAt(offset) - 1); // one whose beginning came before
    const count = layer.index.chunkAt(end) - first;
    if (count > 0) addon.submit(addon.ownRings.readahead, number, addon.layout.constants.noInode, first, count);
  }

  /** Whether blobs may grow by what nobody waits for. */
  #hasRoom(): boolean {
    const files = new Set([...this.#layers.values()].map(({ remote }) => remote.file));
    const present = [...files].reduce((sum, { blocks }) => sum + blocks.present * BLOCK, 0);
    return present < this.#options.limit();
  }

  async #download(layer: Supplied): Promise<void> {
    const { name, index, remote } = layer;
    const { signal } = layer.background;
    const { all, rate, warn } = this.#options;
    try {
      const traffic = this.#traffic;
      await traffic.demand(async () => undefined); // whoever mounts is about to read
      const hasRoom = (): boolean => this.#hasRoom();
      const done = await download({ ...remote, traffic, prefetchEnd: index.prefetchEnd, all, rate, hasRoom, signal });
      if (!done) warn({ layer: name }, 'background download ended: the cache has no room for more of it');
      layer.download = done ? 'ended' : 'no room';
    } catch (error) {
      if (!signal.aborted) warn({ layer: name }, `background download ended: ${(error as Error).message}`);
      layer.download = 'failed';
    }
  }
}
