// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { addon } from '../../native/addon.js';
import type { Ahead, Want } from '../../workers/messages.js';
import { isNoSpace } from '../errors/no-space.js';
import type { IndexReader } from '../index/reader.js';
import { download } from './background.js';
import { BLOCK } from './blocks.js';
import type { Arrival } from './fetcher.js';
import type { LayerBlob, Remote } from './layer-blob.js';
import { Traffic } from './traffic.js';

/** A layer whose blob is fetched as it is needed. */
export interface SuppliedLayer {
  /** Its number in requests. */
  readonly number: number;
  readonly name: string;
  readonly index: IndexReader;
  readonly tocOffset: number;
  readonly remote: Remote;
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
  readonly #layers = new Map<number, SuppliedLayer & { readonly background: AbortController }>();
  /** Those of layers that are being opened or closed among them. */
  readonly #blobs = new Set<LayerBlob>();
  readonly #traffic = new Traffic();
  #closed = { bytes: 0, requests: 0 };
  /** Told of each request that had to wait for the network, while somebody wants to know. */
  onFetched: ((fetched: Fetched) => void) | undefined;

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
    this.#layers.set(layer.number, { ...layer, background });
    void this.#download(layer, background.signal);
  }

  remove(number: number): void {
    this.#layers.get(number)?.background.abort();
    this.#layers.delete(number);
  }

  /** Fetches the chunks that a request waits for, and has it asked again. */
  async want({ layer: number, inode, ring, position }: Want): Promise<void> {
    const layer = this.#layers.get(number);
    const path = layer?.index.path(inode);
    const ranges = layer ? rangesOf(layer, inode) : [];
    const started = performance.now();
    try {
      for (const [offset, end] of ranges) await layer?.remote.fetcher.need(offset, end);
      this.onFetched?.({ ring, layer: number, inode, ms: performance.now() - started });
      addon.complete(ring, position, constants.errno.EAGAIN);
    } catch (error) {
      this.#options.warn({ layer: layer?.name, path }, `cannot fetch ${path}: ${(error as Error).message}`);
      addon.complete(ring, position, isNoSpace(error) ? constants.errno.ENOSPC : constants.errno.EIO);
    }
  }

  /** Fetches files that somebody is about to ask for. Should it fail, whoever asks is told why. */
  ahead(files: Ahead): void {
    for (const { layer: number, inode } of files) {
      const layer = this.#layers.get(number);
      if (layer === undefined) continue;
      for (const [offset, end] of rangesOf(layer, inode)) {
        this.#traffic.demand(() => layer.remote.fetcher.prefetch(offset, end)).catch(() => undefined);
      }
    }
  }

  /** Has the files filled that have arrived as a whole. */
  #fillArrived(number: number, offset: number, end: number): void {
    const layer = this.#layers.get(number);
    if (layer === undefined) return;
    const first = layer.index.chunkAt(offset);
    const count = layer.index.chunkAt(end) - first;
    if (count > 0) addon.submit(addon.ownRings.readahead, number, addon.layout.constants.noInode, first, count);
  }

  /** Whether blobs may grow by what nobody waits for. */
  #hasRoom(): boolean {
    const files = new Set([...this.#layers.values()].map(({ remote }) => remote.file));
    const present = [...files].reduce((sum, { blocks }) => sum + blocks.present * BLOCK, 0);
    return present < this.#options.limit();
  }

  async #download({ name, index, remote }: SuppliedLayer, signal: AbortSignal): Promise<void> {
    const { all, rate, warn } = this.#options;
    try {
      const traffic = this.#traffic;
      await traffic.demand(async () => undefined); // whoever mounts is about to read
      const hasRoom = (): boolean => this.#hasRoom();
      const done = await download({ ...remote, traffic, prefetchEnd: index.prefetchEnd, all, rate, hasRoom, signal });
      if (!done) warn({ layer: name }, 'background download ended: the cache has no room for more of it');
    } catch (error) {
      if (!signal.aborted) warn({ layer: name }, `background download ended: ${(error as Error).message}`);
    }
  }
}

/** Where the chunks of a file lie in the blob: one range where they lie together. */
function rangesOf({ index, tocOffset }: SuppliedLayer, inode: number): [offset: number, end: number][] {
  const ranges: [number, number][] = [];
  const first = index.chunkFirst(inode);
  for (let chunk = first; chunk < first + index.chunkCount(inode); chunk++) {
    const offset = index.chunkOffset(chunk);
    const end = Math.min(index.chunkEnd(chunk), tocOffset);
    const last = ranges.at(-1);
    if (last && last[1] === offset) last[1] = end;
    else ranges.push([offset, end]);
  }
  return ranges;
}
