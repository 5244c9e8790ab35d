// SPDX-License-Identifier: GPL-3.0-or-later

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
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
  /** A byte per region of the blob: 1 once its readahead was asked for, shared by the workers. */
  readonly regions: SharedArrayBuffer;
}

/** What the main thread tells a worker. */
export type Order = { readonly add: LayerFacts } | { readonly drop: number };

/** What a worker tells the main thread. */
export type Report =
  | { readonly dropped: number }
  | { readonly fault: { layer: string; path: string; code: string; message: string } };

export interface Layer extends LayerFacts {
  readonly index: IndexReader;
}

/** The layers that this worker serves, kept up to date by orders of the main thread. */
export class Layers {
  readonly #port: MessagePort;
  readonly #layers = new Map<number, { layer: Layer; mapping: ArrayBuffer }>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  get(number: number): Layer | undefined {
    return this.#layers.get(number)?.layer;
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
    this.#layers.set(facts.number, { layer: { ...facts, index: new IndexReader(mapping) }, mapping });
  }

  #drop(number: number): void {
    const entry = this.#layers.get(number);
    this.#layers.delete(number);
    if (entry) addon.unmap(entry.mapping);
    this.#port.postMessage({ dropped: number } satisfies Report);
  }
}
