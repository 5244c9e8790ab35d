// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';
import type { LazyName } from '../plain/lazy-names.js';
import type { OpenLayer, OpenLayers } from './open-layers.js';
import type { Reading } from './reading.js';
import type { Resolved, ResolvedLayer, Stored } from './resolved.js';

interface Source {
  readonly wanted: readonly Wanted[];
  /** All of them being opened from the moment that the source is known. */
  readonly layers: readonly Promise<OpenLayer>[];
  readonly stored: Stored | undefined;
}

/** A layer that is to be opened, and what becomes of it if it has no TOC; undefined: the daemon's setting says. */
type Wanted = readonly [layer: ResolvedLayer, lazy: LazyName | undefined];

/** What a mount has asked for, and the layers that it uses for that. */
export class Sources {
  readonly #open: OpenLayers;
  readonly #sources: Source[] = [];
  /** Layers that nobody has asked for yet. */
  readonly #siblings: Promise<OpenLayer>[] = [];
  readonly #wanted: Wanted[] = [];
  readonly #used = new Set<OpenLayer>();
  readonly #over = new AbortController();
  /** Those that were asked for, by source and place in it, as they come in. */
  readonly #listed: OpenLayer[][] = [];

  constructor(open: OpenLayers) {
    this.#open = open;
  }

  /** The base first, one that stands in an image twice twice: of several sources, the topmost was asked for first. */
  get layers(): readonly OpenLayer[] {
    return this.#listed.toReversed().flat(); // which leaves out what has not come in
  }

  /** Those without a TOC that are just being read as a whole. */
  get reading(): readonly Reading[] {
    return this.#wanted.flatMap((wanted) => this.#open.reading(...wanted) ?? []);
  }

  /** Begins to open what was found; `lazy`: what becomes of layers without a TOC, as in `OpenLayers.use`. Returns its number, and how many layers it has. */
  add(
    { layers, siblings = [], stored }: Resolved,
    lazy: LazyName | undefined,
  ): {
    readonly source: number;
    readonly layers: number;
    /** Rejects with what opening one of them rejects with. */
    readonly opened: Promise<readonly OpenLayer[]>;
  } {
    const listed: OpenLayer[] = [];
    this.#listed.push(listed);
    const wanted = layers.map((layer): Wanted => [layer, lazy]);
    const opening = wanted.map(async (one, place) => (listed[place] = await this.#use(...one)));
    const others = siblings.map((layer) => this.#use(layer, lazy));
    const opened = Promise.all(opening);
    for (const one of [opened, ...opening, ...others]) one.catch(() => undefined); // whoever asks for a layer is told
    this.#siblings.push(...others);
    this.#sources.push({ wanted, layers: opening, stored });
    return { source: this.#sources.length - 1, layers: layers.length, opened };
  }

  /** `seen`: the key of the index that the mount has seen of it before. Throws what opening the layer throws, CRFS_USAGE where there is none. */
  async layer(source: number, place: number, seen?: string): Promise<OpenLayer> {
    const layer = await this.#sources[source]?.layers[place];
    if (layer === undefined) throw new CrfsError('CRFS_USAGE', `the mount has no layer ${place} of source ${source}`);
    const [resolved, lazy] = this.#sources[source]?.wanted[place] ?? [];
    if (seen === undefined || layer.record.key === seen || resolved?.indexed === undefined) return layer;
    const other = await this.#use({ ...resolved, seen }, lazy);
    this.#listed[source]?.splice(place, 1, other);
    if (this.#used.delete(layer)) await this.#open.release(layer);
    return other;
  }

  /** Throws CRFS_USAGE for what is no layer of a store. */
  stored(source: number): Stored {
    const stored = this.#sources[source]?.stored;
    if (stored === undefined) throw new CrfsError('CRFS_USAGE', `source ${source} is no layer of a store`);
    return stored;
  }

  /** Waits for no layers any more. To be called before `release`. */
  giveUp(): void {
    this.#over.abort(new CrfsError('CRFS_INTERNAL', 'the mount has gone'));
  }

  /** Lets go of all layers. */
  async release(): Promise<void> {
    await Promise.allSettled([...this.#sources.flatMap(({ layers }) => layers), ...this.#siblings]);
    await Promise.all([...this.#used].map((layer) => this.#open.release(layer)));
  }

  async #use(...wanted: Wanted): Promise<OpenLayer> {
    this.#wanted.push(wanted);
    const layer = await this.#open.use(...wanted, this.#over.signal);
    if (this.#used.has(layer)) await this.#open.release(layer);
    this.#used.add(layer);
    return layer;
  }
}
