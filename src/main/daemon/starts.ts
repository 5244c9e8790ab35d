// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import type { CacheLayout } from '../disk/cache-layout.js';
import { keepProfile, keptProfile } from '../profile/kept.js';
import { type BlobRange, StartOrder } from '../profile/order.js';
import type { Profile } from '../profile/profile.js';
import { Recording, type StartedLayer } from '../profile/recording.js';
import type { Settings } from '../settings/options.js';
import { keepStart } from '../waterfall/kept.js';
import { Observation } from './observation.js';
import type { OpenLayer, OpenLayers } from './open-layers.js';
import type { Openings } from './openings.js';
import type { NamedImage } from './resolved.js';
import { Start } from './start.js';

/** Milliseconds: what an image's registry has not said of its profile by then is done without. */
const LOOK_FOR_MS = 60_000;

/** What is to be known of an image that a mount is made of. */
export interface StartedImage extends NamedImage {
  /** When the mount asked for it: ms of `monotonicMs`. */
  readonly asked: number;
  /** All of its layers, the base first, once they are in use. */
  readonly opened: Promise<readonly OpenLayer[]>;
}

interface StartsOptions extends Pick<Settings, 'profiles'> {
  readonly layout: CacheLayout;
  readonly layers: OpenLayers;
  readonly openings: Openings;
  readonly log: Logger;
}

/** Learns of mounts that are new what is read first, where not all of their images is here, and fetches by what was learned before. */
export class Starts {
  readonly #profiles: Settings['profiles'];
  readonly #layout: CacheLayout;
  readonly #layers: OpenLayers;
  readonly #log: Logger;
  readonly #openings: Openings;
  readonly #recorded = new Set<Start>();
  /** Images whose registries were asked for profiles. */
  readonly #lookedFor = new Set<string>();

  constructor({ profiles, layout, layers, openings, log }: StartsOptions) {
    this.#profiles = profiles;
    this.#layout = layout;
    this.#layers = layers;
    this.#openings = openings;
    this.#log = log;
  }

  /** To be called as soon as it is known what a mount is made of. */
  begin(ring: number, started: StartedImage): Start {
    const observation = new Observation(this.#layers.supply, ring, started.asked);
    const start = new Start(ring, started.digest, observation);
    if (this.#profiles === 'off') {
      observation.stop();
      start.stopFetching();
    } else void this.#fetch(start, started);
    return start;
  }

  async #fetch(start: Start, started: StartedImage): Promise<void> {
    const looking = this.#lookFor(start, started); // while its layers are opened
    let layers: readonly StartedLayer[] = [];
    const byProfile = (profile: Profile | undefined): readonly BlobRange[] => {
      if (profile === undefined || layers.length === 0 || start.isOver) return [];
      const order = new StartOrder(profile, layers);
      start.expect(order);
      return order.ranges;
    };
    const find = async (): Promise<readonly BlobRange[]> => {
      layers = this.#startedLayers(await started.opened.catch(() => [])); // whoever asks for the layer is told
      if (layers.length > 0 && !start.isOver) this.#record(start, layers);
      else start.observation.stop();
      return byProfile(this.#known(started));
    };
    try {
      await this.#layers.supply.startUp(find, start.signal);
      if (start.order === undefined) {
        const found = await this.#undecided(layers, start, looking); // behind which nothing waits
        await this.#layers.supply.startUp(async () => byProfile(found), start.signal);
      }
      start.fetched();
    } catch (error) {
      const why = (error as Error).message;
      if (!start.signal.aborted) this.#log.warn({ image: start.image }, `fetching ahead of a start ended: ${why}`);
      start.stopFetching();
    }
  }

  /** Until it is known whether there is a profile, what is read comes alone: if there is one, it says what comes beside that. */
  async #undecided(
    layers: readonly StartedLayer[],
    { signal }: Start,
    looking: Promise<Profile | undefined>,
  ): Promise<Profile | undefined> {
    const decided = new AbortController();
    const until = AbortSignal.any([signal, decided.signal]);
    this.#layers.supply.readAlone(
      layers.map(({ number }) => number),
      until,
    );
    try {
      return await looking;
    } finally {
      decided.abort();
    }
  }

  #known({ digest }: StartedImage): Profile | undefined {
    return this.#profiles === 'on' ? keptProfile(this.#layout, digest) : undefined;
  }

  /**
   * Asks for the profile that is attached to an image of which none is kept, once, and keeps it. Resolves to undefined where there
   * is none, and whatever is wrong with it.
   */
  async #lookFor(start: Start, { digest: image, attached }: StartedImage): Promise<Profile | undefined> {
    if (this.#profiles !== 'on' || this.#lookedFor.has(image) || existsSync(this.#layout.profile(image)))
      return undefined;
    this.#lookedFor.add(image);
    try {
      const found = await attached(AbortSignal.any([start.signal, AbortSignal.timeout(LOOK_FOR_MS)]));
      if (found !== undefined && !start.isOver) keepProfile(this.#layout, found);
      return found;
    } catch (error) {
      this.#log.debug({ image }, `no profile from its registry: ${(error as Error).message}`);
      return undefined;
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
    if (following === undefined) {
      start.observation.stop();
      return;
    }
    start.observation.ready();
    const recording = new Recording(start.image, layers);
    this.#recorded.add(start);
    this.#layers.supply.onAsked = (asked) => {
      for (const one of this.#recorded) if (one.ring === asked.ring) one.asked(asked);
    };
    start.record(recording, following, () => {
      this.#recorded.delete(start);
      if (this.#recorded.size === 0) this.#layers.supply.onAsked = undefined;
      if (start.seesAll) this.#keep(start, recording, layers);
    });
  }

  /** A profile that is there stays, if this start was about as it says. */
  #keep({ image, order, observation }: Start, recording: Recording, layers: readonly StartedLayer[]): void {
    try {
      const seen = observation.record(image, layers);
      if (seen !== undefined) keepStart(this.#layout, seen);
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
