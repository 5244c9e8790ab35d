// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';
import { errorName } from '../errors/name.js';
import type { Fetched } from '../fetch/supply.js';
import { NetworkTimes } from './network-times.js';
import type { OpenLayers } from './open-layers.js';

const READ_EVERY_MS = 20;
const NUMBERS = 5; // of an open

/** An open of a file with content through a mount, as `crfs trace --json` prints it. */
export interface Opening {
  /** ISO 8601: when it ended */
  readonly time: string;
  /** Number of the layer in the mount: 1 is the base. */
  readonly layer: number;
  /** Of the file in the layer, from its root; the first of its names. */
  readonly path: string;
  /** Milliseconds; 0: its content was there. */
  readonly waitedMs: number;
  /** Milliseconds of these in which it, or another read of the file, waited for the network. */
  readonly fetchedMs: number;
  readonly for: 'nothing' | 'inflate' | 'fetch';
  /** The name of the errno that it ended with. */
  readonly error: string | null;
}

/** What a trace tells: an open, or how many were too fast to be followed. */
export type Traced = Opening | { readonly missed: number };

/** A mount that can be traced. */
interface Mount {
  readonly ringNumber: number | undefined;
  readonly layers: readonly { readonly number: number }[];
}

interface Follower {
  readonly ring: number;
  /** By layer and inode. */
  readonly network: NetworkTimes;
}

/** Tells what is opened through mounts. Costs nothing while nobody listens. */
export class Tracer {
  readonly #layers: OpenLayers;
  readonly #followers = new Set<Follower>();
  /** Milliseconds since the epoch at which the monotonic clock started. */
  readonly #clockStart = Date.now() - monotonicMs();

  constructor(layers: OpenLayers) {
    this.#layers = layers;
  }

  /**
   * Tells `tell` what a mount opens from now on, and calls `ended` when the mount has gone. Returns what stops it;
   * undefined if the mount is not ready yet.
   */
  follow(mount: Mount, tell: (traced: Traced) => void, ended: () => void): (() => void) | undefined {
    const ring = mount.ringNumber;
    if (ring === undefined) return undefined;
    const follower: Follower = { ring, network: new NetworkTimes() };
    let position = addon.ringTrace(ring, true);
    this.#followers.add(follower);
    this.#layers.supply.onFetched = (fetched) => this.#note(fetched);
    const numbers = new Float64Array(NUMBERS * addon.layout.constants.traceSize);
    const readOpenings = (): void => {
      const found = position === null ? null : addon.ringOpenings(ring, position, numbers);
      if (found === null) {
        stop();
        ended();
        return;
      }
      const [next, missed, count] = found;
      position = next;
      if (missed > 0) tell({ missed });
      const places = new Map(mount.layers.map(({ number }, place) => [number, place + 1]));
      for (let n = 0; n < count; n++) {
        const opening = this.#describe(follower, numbers.subarray(n * NUMBERS, (n + 1) * NUMBERS));
        if (opening) tell({ ...opening, layer: places.get(opening.layer) ?? 0 });
      }
    };
    const timer = setInterval(readOpenings, READ_EVERY_MS);
    const stop = (): void => {
      clearInterval(timer);
      this.#followers.delete(follower);
      if (![...this.#followers].some((other) => other.ring === ring)) addon.ringTrace(ring, false);
      if (this.#followers.size === 0) this.#layers.supply.onFetched = undefined;
    };
    return stop;
  }

  /** The mount's numbers may be anything: what they do not name is left out. */
  #describe({ network }: Follower, numbers: Float64Array): Opening | undefined {
    const [layer = 0, inode = 0, errno = 0, at = 0, waited = 0] = numbers;
    const path = this.#layers.path(layer, inode);
    if (path === undefined) return undefined;
    const [from, to] = [(at - waited) / 1e6, at / 1e6];
    const fetchedMs = network.within(`${layer} ${inode}`, { from, to });
    return {
      time: new Date(this.#clockStart + Math.min(at / 1e6, monotonicMs())).toISOString(),
      layer,
      path: `/${path}`,
      waitedMs: waited / 1e6,
      fetchedMs,
      for: waited === 0 ? 'nothing' : fetchedMs > 0 ? 'fetch' : 'inflate',
      error: errno === 0 ? null : errorName(errno),
    };
  }

  #note({ ring, layer, inode, ms }: Fetched): void {
    const now = monotonicMs();
    for (const follower of this.#followers) {
      if (follower.ring === ring) follower.network.note(`${layer} ${inode}`, { from: now - ms, to: now });
    }
  }
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
