// SPDX-License-Identifier: GPL-3.0-or-later

import type { Logger } from 'pino';
import { addon } from '../../native/addon.js';
import type { Asked } from '../../workers/messages.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { keepProfile, keptProfile } from '../profile/kept.js';
import { Recording, type StartedLayer } from '../profile/recording.js';
import type { OpenLayer, OpenLayers } from './open-layers.js';
import { type Following, monotonicMs, type Openings } from './openings.js';
import type { Status } from './status.js';

/** How often it is looked what a mount has opened. */
const LOOK_EVERY_MS = 100;
/** A start has ended once nothing new was read for so long, or after so long altogether. */
const QUIET_MS = 10_000;
const LONGEST_MS = 120_000;
/** Who has read nothing of a mount by then is not waited for. */
const UNUSED_MS = 600_000;

type StartStatus = NonNullable<Status['mounts'][number]['starts']>[number];

/** What is to be known of an image that a mount is made of. */
export interface StartedImage {
  /** Digest of its manifest. */
  readonly image: string;
  /** All of its layers, the base first. */
  readonly layers: readonly OpenLayer[];
}

/** Records what mounts read when they are new, for images of which not all is here. */
export class Starts {
  readonly #layout: CacheLayout;
  readonly #log: Logger;
  readonly #openings: Openings;
  readonly #underWay = new Set<Start>();

  constructor(layout: CacheLayout, layers: OpenLayers, openings: Openings, log: Logger) {
    this.#layout = layout;
    this.#openings = openings;
    this.#log = log;
    layers.supply.onAsked = (asked) => {
      for (const start of this.#underWay) if (start.ring === asked.ring) start.asked(asked);
    };
  }

  /** To be called before the mount can be read. Undefined: there is nothing to be learned. */
  begin(ring: number, { image, layers }: StartedImage): Start | undefined {
    if (layers.every(({ blob: { remote } }) => remote === undefined || remote.blocks.present === remote.blocks.count)) {
      return undefined;
    }
    const started = layers.flatMap(({ number, digest, index, record: { tocOffset } }): StartedLayer[] =>
      digest === undefined ? [] : [{ number, digest, index, tocOffset }],
    );
    const following = started.length === layers.length ? this.#openings.follow(ring) : undefined;
    if (following === undefined) return undefined;
    const recording = new Recording(image, started);
    const start: Start = new Start(ring, image, recording, following, () => {
      this.#underWay.delete(start);
      const isSeen = addon.ringStatus(ring)?.unseen !== 1; // else the kernel has opened what was in the cache
      if (isSeen) this.#keep(image, recording);
    });
    this.#underWay.add(start);
    return start;
  }

  /** A profile that is there stays: the start that made it was as good. */
  #keep(image: string, recording: Recording): void {
    try {
      const profile = recording.profile();
      if (profile === undefined || keptProfile(this.#layout, image) !== undefined) return;
      keepProfile(this.#layout, profile);
      this.#log.info({ image, files: recording.files }, 'recorded a start');
    } catch (error) {
      this.#log.warn({ image }, `cannot keep the profile of a start: ${(error as Error).message}`);
    }
  }
}

/** One mount's first reads of one image. */
export class Start {
  readonly ring: number;
  readonly #image: string;
  readonly #recording: Recording;
  readonly #following: Following;
  readonly #whenEnded: () => void;
  readonly #timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  readonly #made = performance.now();
  /** When something was read first, and when something new was read last. */
  #first: number | undefined;
  #last = 0;
  #ended = false;

  constructor(ring: number, image: string, recording: Recording, following: Following, whenEnded: () => void) {
    this.ring = ring;
    this.#image = image;
    this.#recording = recording;
    this.#following = following;
    this.#whenEnded = whenEnded;
  }

  describe(): StartStatus {
    return { image: this.#image, recording: this.#ended ? 'ended' : 'under way', files: this.#recording.files };
  }

  /** Chunks of a file were asked for. */
  asked(run: Asked): void {
    if (this.#recording.asked(run, monotonicMs()) !== undefined) this.#noteNew();
  }

  /** What was read until now is kept. To be called before the mount's ring and its layers go. */
  end(): void {
    if (this.#ended) return;
    this.#readOpenings();
    this.#ended = true;
    clearInterval(this.#timer);
    this.#following.stop();
    this.#whenEnded();
  }

  #look(): void {
    const isThere = this.#readOpenings();
    const now = performance.now();
    const isOver =
      this.#first === undefined
        ? now - this.#made > UNUSED_MS
        : now - this.#last > QUIET_MS || now - this.#first > LONGEST_MS;
    if (!isThere || isOver || this.#recording.isFull) this.end();
  }

  /** Returns whether the mount is there. */
  #readOpenings(): boolean {
    const found = this.#following.read();
    for (const { layer, inode, errno, at, waited } of found?.openings ?? []) {
      const asked = Math.min(Math.max(0, at - waited), monotonicMs());
      if (errno === 0 && this.#recording.opened(layer, inode, asked) !== undefined) this.#noteNew();
    }
    return found !== undefined;
  }

  #noteNew(): void {
    this.#last = performance.now();
    this.#first ??= this.#last;
  }
}
