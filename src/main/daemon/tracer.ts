// SPDX-License-Identifier: GPL-3.0-or-later

import { errorName } from '../errors/name.js';
import type { Fetched } from '../fetch/supply.js';
import { NetworkTimes } from './network-times.js';
import type { OpenLayers } from './open-layers.js';
import { monotonicMs, type NotedOpening, type Openings } from './openings.js';

const READ_EVERY_MS = 20;

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
  readonly #openings: Openings;
  readonly #followers = new Set<Follower>();
  /** Milliseconds since the epoch at which the monotonic clock started. */
  readonly #clockStart = Date.now() - monotonicMs();

  constructor(layers: OpenLayers, openings: Openings) {
    this.#layers = layers;
    this.#openings = openings;
  }

  /**
   * Tells `tell` what a mount opens from now on, and calls `ended` when the mount has gone. Returns what stops it;
   * undefined if the mount is not ready yet.
   */
  follow(mount: Mount, tell: (traced: Traced) => void, ended: () => void): (() => void) | undefined {
    const ring = mount.ringNumber;
    if (ring === undefined) return undefined;
    const follower: Follower = { ring, network: new NetworkTimes() };
    const following = this.#openings.follow(ring);
    this.#followers.add(follower);
    this.#layers.supply.onFetched = (fetched) => this.#note(fetched);
    const readOpenings = (): void => {
      const found = following?.read();
      if (found === undefined) {
        stop();
        ended();
        return;
      }
      if (found.missed > 0) tell({ missed: found.missed });
      const places = new Map(mount.layers.map(({ number }, place) => [number, place + 1]));
      for (const noted of found.openings) {
        const opening = this.#describe(follower, noted);
        if (opening) tell({ ...opening, layer: places.get(opening.layer) ?? 0 });
      }
    };
    const timer = setInterval(readOpenings, READ_EVERY_MS);
    const stop = (): void => {
      clearInterval(timer);
      this.#followers.delete(follower);
      following?.stop();
      if (this.#followers.size === 0) this.#layers.supply.onFetched = undefined;
    };
    return stop;
  }

  /** The mount's numbers may be anything: what they do not name is left out. */
  #describe({ network }: Follower, { layer, inode, errno, at, waited }: NotedOpening): Opening | undefined {
    const path = this.#layers.path(layer, inode);
    if (path === undefined) return undefined;
    const fetchedMs = network.within(`${layer} ${inode}`, { from: at - waited, to: at });
    return {
      time: new Date(this.#clockStart + Math.min(at, monotonicMs())).toISOString(),
      layer,
      path: `/${path}`,
      waitedMs: waited,
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
