// SPDX-License-Identifier: GPL-3.0-or-later

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Blocks } from '../../main/fetch/blocks.js';
import { IndexReader } from '../../main/index/reader.js';
import { addon } from '../../native/addon.js';

/** A layer, as the main thread makes it known to the workers. */
export interface LayerFacts {
  readonly number: number;
  /** What to call it in messages. */
  readonly name: string;
  /** Descriptors of the main thread, open until every worker has dropped the layer. */
  readonly indexFd: number;
  readonly blobFd: number;
  /** Where the TOC begins in the blob: every member ends before it. */
  readonly tocOffset: number;
  /** Which blocks of the blob are in its file, where it is fetched as it is needed. */
  readonly blocks?: SharedArrayBuffer;
  /** A byte per region of the blob: 1 once its readahead was asked for, shared by the workers. */
  readonly regions: SharedArrayBuffer;
}

/** What the main thread tells a worker. */
export type Order = { readonly add: LayerFacts } | { readonly drop: number };

/** What a worker tells the main thread. */
export type Report =
  /** The worker serves from now on. */
  | { readonly serves: true }
  /** No worker is left that waits for work: another one would have some. */
  | { readonly short: true }
  | { readonly dropped: number }
  /** The worker meets with an error that it has no answer to, and ends. */
  | { readonly died: string }
  /** A request that cannot be served before its file's chunks are fetched: whoever fetches them answers it. */
  | { readonly want: { layer: number; inode: number; ring: number; position: number } }
  /** Bytes of a remote blob are wrong: they are fetched again. */
  | { readonly doubt: { layer: string; path: string; message: string } }
  /** Files that whoever opened another will probably open next. */
  | { readonly ahead: readonly { layer: number; inode: number }[] }
  | { readonly fault: { layer: string; path: string; code: string; message: string } };

export interface Layer extends LayerFacts {
  readonly index: IndexReader;
  /** Whether the chunks of a file can be read from the blob's file now. */
  has(inode: number): boolean;
  /** The bytes of some chunks are wrong. Returns whether to ask for them again: they are fetched anew then. */
  doubt(first: number, count: number): boolean;
  /** Whether the bytes of some chunks are not fetched anew any more, however wrong they are. */
  isFinal(first: number, count: number): boolean;
}

/** The layers that this worker serves, kept up to date by orders of the main thread. */
export class Layers {
  readonly #port: MessagePort;
  readonly #layers = new Map<number, { layer: Layer; mapping: ArrayBuffer }>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Looks for orders where it does not know the layer: a request for it may be faster than this worker has looked. */
  get(number: number): Layer | undefined {
    if (!this.#layers.has(number)) this.update();
    return this.#layers.get(number)?.layer;
  }

  /** The layers whose blobs are fetched as they are needed, this one first. */
  remoteFrom(first: Layer): Layer[] {
    const others = [...this.#layers.values()].map(({ layer }) => layer).filter((layer) => layer !== first);
    return [first, ...others].filter(({ blocks }) => blocks !== undefined);
  }

  /** Carries out the orders that have come. Called between requests, as dropped descriptors are closed after it. */
  update(): void {
    for (let message = receiveMessageOnPort(this.#port); message; message = receiveMessageOnPort(this.#port)) {
      const order = message.message as Order;
      if ('add' in order) this.#add(order.add);
      else this.#drop(order.drop);
    }
  }

  #add(facts: LayerFacts): void {
    const mapping = addon.map(facts.indexFd, false);
    const index = new IndexReader(mapping);
    const blocks = facts.blocks && new Blocks(facts.blocks);
    const has = (inode: number): boolean => blocks === undefined || coversFile(blocks, index, inode, facts.tocOffset);
    const bytesOf = (first: number, count: number) => chunkRanges(index, first, count, facts.tocOffset);
    const doubt = (first: number, count: number): boolean =>
      blocks !== undefined && bytesOf(first, count).filter((range) => blocks.doubt(...range)).length > 0;
    const isFinal = (first: number, count: number): boolean =>
      blocks === undefined || bytesOf(first, count).every((range) => blocks.isFinal(...range));
    this.#layers.set(facts.number, { layer: { ...facts, index, has, doubt, isFinal }, mapping });
  }

  #drop(number: number): void {
    const entry = this.#layers.get(number);
    this.#layers.delete(number);
    if (entry) addon.unmap(entry.mapping);
    const port = this.#port;
    port.postMessage({ dropped: number } satisfies Report);
  }
}

function coversFile(blocks: Blocks, index: IndexReader, inode: number, tocOffset: number): boolean {
  const first = index.chunkFirst(inode);
  for (let chunk = first; chunk < first + index.chunkCount(inode); chunk++) {
    if (!blocks.covers(index.chunkOffset(chunk), Math.min(index.chunkEnd(chunk), tocOffset))) return false;
  }
  return true;
}

/** Where the bytes of some chunks lie in the blob. */
function chunkRanges(index: IndexReader, first: number, count: number, tocOffset: number): [number, number][] {
  return Array.from({ length: count }, (_, n) => {
    return [index.chunkOffset(first + n), Math.min(index.chunkEnd(first + n), tocOffset)];
  });
}
