// SPDX-License-Identifier: GPL-3.0-or-later

import type { IndexReader } from '../../main/index/reader.js';
import { addon } from '../../native/addon.js';

const MOST_REGIONS_AHEAD = 16;

/** A layer, whose blob is divided into regions. */
export interface RegionedLayer {
  readonly number: number;
  readonly index: IndexReader;
  /** What is fetched of it decides what is filled. */
  readonly isFilledAsItComes: boolean;
  /** 1 once a region's readahead was asked for, shared by the workers. */
  readonly regions: Uint8Array;
}

/**
 * Decides what to fill before it is asked for. Neighbours in a tar are neighbours in a directory: a file that had to be
 * waited for brings in its region of the blob, and a reader that goes on from region to region brings in ever more of
 * those ahead of it.
 */
export class Readahead {
  readonly #span: number;

  /** `span`: bytes of the blob in a region; 0 switches readahead off. */
  constructor(span: number) {
    this.#span = span;
  }

  /** Asks for what a reader of this chunk will probably want next. */
  follow(layer: RegionedLayer, chunk: number): void {
    if (this.#span === 0 || layer.isFilledAsItComes) return;
    const { regions } = layer;
    const region = Math.floor(layer.index.chunkOffset(chunk) / this.#span);
    this.#bring(layer, region);
    let behind = 0;
    while (behind < Math.min(region, MOST_REGIONS_AHEAD) && Atomics.load(regions, region - behind - 1) === 1) behind++;
    for (let ahead = 1; ahead <= behind; ahead++) this.#bring(layer, region + ahead);
  }

  #bring(layer: RegionedLayer, region: number): void {
    const { regions } = layer;
    if (region >= regions.length || Atomics.exchange(regions, region, 1) === 1) return;
    const first = layer.index.chunkAt(region * this.#span);
    const end = layer.index.chunkAt((region + 1) * this.#span);
    if (end <= first) return;
    const { readahead } = addon.ownRings;
    if (!addon.submit(readahead, layer.number, addon.layout.constants.noInode, first, end - first)) {
      Atomics.store(regions, region, 0);
    }
  }
}

/** Bytes for a layer's `regions`: one for each region of a blob. */
export function regionsOf(blobSize: number, span: number): number {
  return span === 0 ? 0 : Math.ceil(blobSize / span);
}
