// SPDX-License-Identifier: GPL-3.0-or-later

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Order, Report } from '../messages.js';
import { ServedLayer } from './served-layer.js';

/** The layers that this worker serves, kept up to date by orders of the main thread. */
export class ServedLayers {
  readonly #port: MessagePort;
  readonly #layers = new Map<number, ServedLayer>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** A request can arrive before the order that adds its layer: orders are carried out first where it is unknown. */
  get(number: number): ServedLayer | undefined {
    if (!this.#layers.has(number)) this.update();
    return this.#layers.get(number);
  }

  /** The layers whose blobs are fetched as they are needed, this one first. */
  remoteFrom(first: ServedLayer): ServedLayer[] {
    const others = [...this.#layers.values()].filter((layer) => layer !== first);
    return [first, ...others].filter(({ isRemote }) => isRemote);
  }

  /** Carries out the orders that have come. Called between requests, as dropped descriptors are closed after it. */
  update(): void {
    for (let message = receiveMessageOnPort(this.#port); message; message = receiveMessageOnPort(this.#port)) {
      const order = message.message as Order;
      if ('add' in order) this.#layers.set(order.add.number, new ServedLayer(order.add));
      else this.#drop(order.drop);
    }
  }

  #drop(number: number): void {
    this.#layers.get(number)?.close();
    this.#layers.delete(number);
    const port = this.#port;
    port.postMessage({ dropped: number } satisfies Report);
  }
}
