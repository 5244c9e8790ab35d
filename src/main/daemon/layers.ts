// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, existsSync, fstatSync, openSync } from 'node:fs';
import type { Logger } from 'pino';
import { regionsOf } from '../../workers/serve/readahead.js';
import type { CacheLayout } from '../cache/layout.js';
import { type BlobRecord, readRecord, writeRecord } from '../cache/records.js';
import type { ResolvedLayer } from '../sources/resolve.js';
import type { Crew } from './crew.js';
import type { Indexer } from './indexer.js';

/** A layer that mounts use now. */
export interface OpenLayer {
  /** Its number in requests. */
  readonly number: number;
  readonly name: string;
  readonly identity: string;
  readonly record: BlobRecord;
  readonly indexFd: number;
  readonly blobFd: number;
  users: number;
}

/** The layers in use: each is indexed once, however many mounts ask for it at the same time. */
export class OpenLayers {
  readonly #layout: CacheLayout;
  readonly #crew: Crew;
  readonly #indexer: Indexer;
  readonly #readahead: number;
  readonly #log: Logger;
  readonly #byIdentity = new Map<string, Promise<OpenLayer>>();
  readonly #open = new Map<number, OpenLayer>();
  #next = 1;

  constructor(layout: CacheLayout, crew: Crew, indexer: Indexer, readahead: number, log: Logger) {
    this.#layout = layout;
    this.#crew = crew;
    this.#indexer = indexer;
    this.#readahead = readahead;
    this.#log = log;
  }

  list(): OpenLayer[] {
    return [...this.#open.values()];
  }

  /** Takes a layer into use, until `release`. Throws what reading its TOC throws. */
  async use(resolved: ResolvedLayer): Promise<OpenLayer> {
    const { identity } = resolved;
    let opening = this.#byIdentity.get(identity);
    if (opening === undefined) {
      opening = this.#enter(resolved);
      this.#byIdentity.set(identity, opening);
      opening.catch(() => this.#byIdentity.delete(identity));
    }
    const layer = await opening;
    if (this.#open.get(layer.number) !== layer) return this.use(resolved); // released meanwhile
    layer.users++;
    return layer;
  }

  async release(layer: OpenLayer): Promise<void> {
    if (--layer.users > 0) return;
    this.#byIdentity.delete(layer.identity);
    this.#open.delete(layer.number);
    await this.#crew.drop(layer.number);
    closeSync(layer.indexFd);
    closeSync(layer.blobFd);
  }

  async #enter(resolved: ResolvedLayer): Promise<OpenLayer> {
    const { name, identity, blob } = resolved;
    const record = this.#known(identity) ?? (await this.#read(resolved));
    const layer: OpenLayer = {
      number: this.#next++,
      name,
      identity,
      record,
      indexFd: openSync(this.#layout.index(record.key), 'r'),
      blobFd: blob.take(),
      users: 0,
    };
    const regions = new SharedArrayBuffer(regionsOf(fstatSync(layer.blobFd).size, this.#readahead));
    this.#open.set(layer.number, layer);
    const { number, indexFd, blobFd } = layer;
    this.#crew.add({ number, name, indexFd, blobFd, tocOffset: record.tocOffset, regions });
    return layer;
  }

  #known(identity: string): BlobRecord | undefined {
    const record = readRecord(this.#layout, identity);
    return record && existsSync(this.#layout.index(record.key)) ? record : undefined;
  }

  async #read({ name, identity, blob }: ResolvedLayer): Promise<BlobRecord> {
    const started = performance.now();
    const record = await this.#indexer.index(blob.fd, name, identity);
    writeRecord(this.#layout, identity, record);
    this.#log.info({ layer: name, ...record, ms: Math.round(performance.now() - started) }, 'read the TOC of a layer');
    return record;
  }
}
