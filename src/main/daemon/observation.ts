// SPDX-License-Identifier: GPL-3.0-or-later

import type { Flown } from '../fetch/flown.js';
import type { Fetched, Supply } from '../fetch/supply.js';
import { bytesOf, type FileRun, type StartedLayer } from '../profile/recording.js';
import { MOST_ENTRIES, type StartRecord, type StartWait, unreadOf } from '../waterfall/record.js';
import { Arrivals, type Sent } from './arrivals.js';
import { NetworkTimes } from './network-times.js';
import { monotonicMs, type NotedOpening } from './openings.js';

interface File {
  readonly layer: number;
  readonly inode: number;
}

/** Sees how a start goes: what it reads, what it waits for, and what comes over the network, from when it is made. */
export class Observation {
  readonly #supply: Supply;
  readonly #ring: number;
  readonly #asked: number;
  readonly #resolved = monotonicMs();
  #ready = this.#resolved;
  readonly #network = new NetworkTimes();
  readonly #sent: Sent[] = [];
  readonly #waits: (File & Omit<StartWait, 'file'>)[] = [];
  readonly #reads: { readonly run: FileRun; readonly at: number }[] = [];
  #missed = 0;

  /** `asked`: when the mount asked for the image, in ms of `monotonicMs`. */
  constructor(supply: Supply, ring: number, asked: number) {
    this.#supply = supply;
    this.#ring = ring;
    this.#asked = asked;
    supply.onFlown.add(this.#flown);
    supply.onFetched.add(this.#fetched);
  }

  readonly #flown = (layer: number, flown: Flown): void => {
    if (this.#sent.length < MOST_ENTRIES) this.#sent.push({ ...flown, layer, at: monotonicMs() - flown.ms });
  };

  readonly #fetched = ({ ring, layer, inode, ms }: Fetched): void => {
    const now = monotonicMs();
    if (ring === this.#ring) this.#network.note(`${layer} ${inode}`, { from: now - ms, to: now });
  };

  /** All layers can be read. */
  ready(): void {
    this.#ready = monotonicMs();
  }

  /** Opens ended, after so many of which nothing is known. */
  opened(openings: readonly NotedOpening[], missed: number): void {
    this.#missed += missed;
    for (const { layer, inode, at, waited } of openings) {
      const from = at - waited;
      if (waited <= 0 || from < this.#asked || this.#waits.length >= MOST_ENTRIES) continue;
      const networkMs = this.#network.within(`${layer} ${inode}`, { from, to: at });
      this.#waits.push({ layer, inode, at: from, ms: waited, networkMs });
    }
  }

  /** Something was asked for that was not before. */
  read(run: FileRun, at: number): void {
    this.#reads.push({ run, at });
  }

  /** Sees nothing any more. */
  stop(): void {
    this.#supply.onFlown.delete(this.#flown);
    this.#supply.onFetched.delete(this.#fetched);
  }

  /** What it has seen of these layers, all of the image, the base first; undefined: nothing was read. */
  record(image: string, layers: readonly StartedLayer[]): StartRecord | undefined {
    if (this.#reads.length === 0) return undefined;
    const places = new Map(layers.map(({ number }, place) => [number, place]));
    const since = (at: number): number => Math.max(0, at - this.#asked);
    const files = new Files(layers);
    const sent = this.#sent.filter(({ layer }) => places.has(layer)).sort((a, b) => a.at - b.at);
    const arrivals = new Arrivals(layers, sent);
    const reads = this.#reads
      .toSorted((a, b) => a.at - b.at)
      .flatMap(({ run, at }) => {
        const layer = layers[places.get(run.layer) ?? -1];
        if (layer === undefined) return [];
        return { file: files.place(run), bytes: bytesOf(layer, run), at: since(at), request: arrivals.use(run) };
      });
    const waits = this.#waits.flatMap(({ at, ms, networkMs, ...of }) => {
      return files.isOne(of) ? { file: files.place(of), at: since(at), ms, networkMs } : [];
    });
    const { unread, ...left } = unreadOf(arrivals.unread());
    return {
      image,
      began: new Date(Date.now() - (monotonicMs() - this.#asked)).toISOString(),
      layers: layers.map(({ digest }) => digest),
      resolved: since(this.#resolved),
      ready: since(this.#ready),
      reads,
      waits: waits.sort((a, b) => a.at - b.at),
      requests: sent.map(({ layer, offset, end, at, purpose, firstByteMs, ms }) => {
        return { layer: places.get(layer) ?? 0, purpose, bytes: end - offset, at: since(at), firstByteMs, ms };
      }),
      unread: unread.map(({ bytes, purpose, ...of }) => ({ file: files.place(of), bytes, purpose })),
      ...left,
      missed: this.#missed,
      files: files.list(),
    };
  }
}

/** Files of layers, each in its place in a list. */
class Files {
  readonly #layers: readonly StartedLayer[];
  readonly #places = new Map<string, number>();
  readonly #list: StartRecord['files'][number][] = [];

  constructor(layers: readonly StartedLayer[]) {
    this.#layers = layers;
  }

  /** Whether these numbers, which may be anything, are those of a file. */
  isOne({ layer, inode }: File): boolean {
    const index = this.#layers.find(({ number }) => number === layer)?.index;
    return index !== undefined && inode < index.inodes && index.isFile(inode);
  }

  place({ layer: number, inode }: File): number {
    const key = `${number} ${inode}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const layer = this.#layers.findIndex((one) => one.number === number);
    this.#places.set(key, this.#list.length);
    return this.#list.push({ layer, path: this.#layers[layer]?.index.path(inode) ?? '' }) - 1;
  }

  list(): StartRecord['files'] {
    return this.#list;
  }
}
