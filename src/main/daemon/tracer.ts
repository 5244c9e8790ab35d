// SPDX-License-Identifier: GPL-3.0-or-later

import { errorName } from '../errors/name.js';
import type { Flown } from '../fetch/flown.js';
import type { Fetched } from '../fetch/supply.js';
import { bytesOf } from '../profile/recording.js';
import type { StartRequest } from '../waterfall/record.js';
import { NOT_FOR_READERS } from './arrivals.js';
import { membersIn } from './members.js';
import { NetworkTimes } from './network-times.js';
import type { OpenLayers } from './open-layers.js';
import { monotonicMs, type NotedOpening, type Openings } from './openings.js';

const READ_EVERY_MS = 20;
/** Of one request, so many are told. */
const MOST_FILES = 1024;

/** An open of a file with content through a mount, as `crfs trace --json` prints it. */
export interface Opening {
  /** ISO 8601: when it ended */
  readonly time: string;
  /** Number of the layer in the mount: 1 is the base. */
  readonly layer: number;
  /** Of the file in the layer, from its root; the first of its names. */
  readonly path: string;
  /** The same, in milliseconds since the trace began. */
  readonly endedMs: number;
  /** That the file takes in the blob. */
  readonly bytes: number;
  /** Milliseconds; 0: its content was there. */
  readonly waitedMs: number;
  /** Milliseconds of these in which it, or another read of the file, waited for the network. */
  readonly fetchedMs: number;
  readonly for: 'nothing' | 'inflate' | 'fetch';
  /** The name of the errno that it ended with. */
  readonly error: string | null;
}

/** A request on the wire, told when it has ended: `layer` as of an opening, `at` in milliseconds since the trace began. */
export interface TracedRequest extends StartRequest {
  /** What it brought of files, bytes of the blob; not of the TOC, and of the rest of a layer. */
  readonly files: readonly (readonly [path: string, bytes: number])[];
}

/** What a trace tells: an open, how many were too fast to be followed, or, to who wants that, a request. */
export type Traced = Opening | { readonly missed: number } | { readonly request: TracedRequest };

/** A mount that can be traced. */
interface Mount {
  readonly ringNumber: number | undefined;
  readonly layers: readonly { readonly number: number }[];
}

interface Follower {
  readonly ring: number;
  /** When it began, in ms of `monotonicMs`. */
  readonly began: number;
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
   * Tells `tell` what a mount opens from now on, and if `withRequests` what comes over the network for it, and calls `ended` when the mount has gone. Returns what stops it;
   * undefined if the mount is not ready yet.
   */
  follow(
    mount: Mount,
    tell: (traced: Traced) => void,
    ended: () => void,
    withRequests = false,
  ): (() => void) | undefined {
    const ring = mount.ringNumber;
    if (ring === undefined) return undefined;
    const follower: Follower = { ring, began: monotonicMs(), network: new NetworkTimes() };
    const following = this.#openings.follow(ring);
    this.#followers.add(follower);
    this.#layers.supply.onFetched.add(this.#note);
    const placeOf = (number: number): number => mount.layers.findIndex((layer) => layer.number === number) + 1;
    const flown = (number: number, one: Flown): void => {
      const layer = placeOf(number);
      if (layer > 0) tell({ request: { ...this.#request(follower, number, one), layer } });
    };
    if (withRequests) this.#layers.supply.onFlown.add(flown);
    const readOpenings = (): void => {
      const found = following?.read();
      if (found === undefined) {
        stop();
        ended();
        return;
      }
      if (found.missed > 0) tell({ missed: found.missed });
      for (const noted of found.openings) {
        const opening = this.#describe(follower, noted);
        if (opening) tell({ ...opening, layer: placeOf(opening.layer) });
      }
    };
    const timer = setInterval(readOpenings, READ_EVERY_MS);
    const stop = (): void => {
      clearInterval(timer);
      this.#followers.delete(follower);
      following?.stop();
      this.#layers.supply.onFlown.delete(flown);
      if (this.#followers.size === 0) this.#layers.supply.onFetched.delete(this.#note);
    };
    return stop;
  }

  /** The mount's numbers may be anything: what they do not name is left out. */
  #describe({ network, began }: Follower, { layer, inode, errno, at, waited }: NotedOpening): Opening | undefined {
    const placed = this.#layers.placed(layer);
    if (placed === undefined || inode >= placed.index.inodes || !placed.index.isFile(inode)) return undefined;
    const all = { layer, inode, first: 0, count: placed.index.chunkCount(inode) };
    const fetchedMs = network.within(`${layer} ${inode}`, { from: at - waited, to: at });
    return {
      time: new Date(this.#clockStart + Math.min(at, monotonicMs())).toISOString(),
      layer,
      path: `/${placed.index.path(inode)}`,
      endedMs: Math.max(0, at - began),
      bytes: bytesOf(placed, all),
      waitedMs: waited,
      fetchedMs,
      for: waited === 0 ? 'nothing' : fetchedMs > 0 ? 'fetch' : 'inflate',
      error: errno === 0 ? null : errorName(errno),
    };
  }

  #request({ began }: Follower, number: number, flown: Flown): Omit<TracedRequest, 'layer'> {
    const { purpose, offset, end, firstByteMs, ms } = flown;
    const placed = this.#layers.placed(number);
    const bytes = new Map<string, number>();
    for (const member of placed && !NOT_FOR_READERS.has(purpose) ? membersIn(placed, offset, end) : []) {
      const path = `/${placed?.index.path(member.inode)}`;
      if (bytes.size < MOST_FILES || bytes.has(path)) bytes.set(path, member.bytes + (bytes.get(path) ?? 0));
    }
    const at = Math.max(0, monotonicMs() - ms - began);
    return { purpose, bytes: end - offset, at, firstByteMs, ms, files: [...bytes] };
  }

  readonly #note = ({ ring, layer, inode, ms }: Fetched): void => {
    const now = monotonicMs();
    for (const follower of this.#followers) {
      if (follower.ring === ring) follower.network.note(`${layer} ${inode}`, { from: now - ms, to: now });
    }
  };
}
