// SPDX-License-Identifier: GPL-3.0-or-later

import type { Logger } from 'pino';
import type { CacheLayout } from '../disk/cache-layout.js';
import { keepProfile, keptProfile } from '../profile/kept.js';
import { type BlobRange, StartOrder } from '../profile/order.js';
import { Recording, type StartedLayer } from '../profile/recording.js';
import type { OpenLayer, OpenLayers } from './open-layers.js';
import type { Openings } from './openings.js';
import { Start } from './start.js';

/** What is to be known of an image that a mount is made of. */
export interface StartedImage {
  /** Digest of its manifest. */
  readonly image: string;
  /** All of its layers, the base first, once they are in use. */
  readonly opened: Promise<readonly OpenLayer[]>;
}

/** Learns of mounts that are new what is read first, where not all of their images is here, and fetches by what was learned before. */
export class Starts {
  readonly #layout: CacheLayout;
  readonly #layers: OpenLayers;
  readonly #log: Logger;
  readonly #openings: Openings;
  readonly #recorded = new Set<Start>();

  constructor(layout: CacheLayout, layers: OpenLayers, openings: Openings, log: Logger) {
    this.#layout = layout;
    this.#layers = layers;
    this.#openings = openings;
    this.#log = log;
  }

  /** To be called as soon as it is known what a mount is made of. */
  begin(ring: number, started: StartedImage): Start {
    const start = new Start(ring, started.image);
    void this.#fetch(start, started);
    return start;
  }

  async #fetch(start: Start, { image, opened }: StartedImage): Promise<void> {
    const find = async (): Promise<readonly BlobRange[]> => {
      const layers = this.#startedLayers(await opened.catch(() => [])); // whoever asks for the layer is told
      if (layers.length === 0 || start.isOver) return [];
      this.#record(start, layers);
      const profile = keptProfile(this.#layout, image);
      if (profile === undefined) return [];
      const order = new StartOrder(profile, layers);
      start.expect(order);
      return order.ranges;
    };
    try {
      await this.#layers.supply.startUp(find, start.signal);
      start.fetched();
    } catch (error) {
      const why = (error as Error).message;
      if (!start.signal.aborted) this.#log.warn({ image }, `fetching ahead of a start ended: ${why}`);
      start.stopFetching();
    }
  }

  /** None, where there is nothing to fetch. */
  #startedLayers(layers: readonly OpenLayer[]): StartedLayer[] {
    if (layers.every(isHere)) return [];
    const started = layers.flatMap(({ number, digest, index, record: { tocOffset } }): StartedLayer[] =>
      digest === undefined ? [] : [{ number, digest, index, tocOffset }],
    );
    return started.length === layers.length ? started : [];
  }

  #record(start: Start, layers: readonly StartedLayer[]): void {
    const following = this.#openings.follow(start.ring);
    if (following === undefined) return;
    const recording = new Recording(start.image, layers);
    this.#recorded.add(start);
    this.#layers.supply.onAsked = (asked) => {
      for (const one of this.#recorded) if (one.ring === asked.ring) one.asked(asked);
    };
    start.record(recording, following, () => {
      this.#recorded.delete(start);
      if (this.#recorded.size === 0) this.#layers.supply.onAsked = undefined;
      if (start.seesAll) this.#keep(start, recording);
    });
  }

  /** A profile that is there stays, if this start was about as it says. */
  #keep({ image, order }: Start, recording: Recording): void {
    try {
      const profile = recording.profile();
      const isLearned = order !== undefined && !order.isWrong;
      if (profile === undefined || isLearned) return;
      keepProfile(this.#layout, profile);
      this.#log.info({ image, files: recording.files }, 'recorded a start');
    } catch (error) {
      this.#log.warn({ image }, `cannot keep the profile of a start: ${(error as Error).message}`);
    }
  }
}

function isHere({ blob: { remote } }: OpenLayer): boolean {
  return remote === undefined || remote.blocks.present === remote.blocks.count;
}
