// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';
import type { Asked } from '../../workers/messages.js';
import type { StartOrder } from '../profile/order.js';
import type { FileRun, Recording } from '../profile/recording.js';
import type { Observation } from './observation.js';
import { type Following, monotonicMs } from './openings.js';
import type { Status } from './status.js';

/** How often it is looked what a mount has opened. */
const LOOK_EVERY_MS = 100;
/** A start has ended once nothing new was read for so long, or after so long altogether. */
const QUIET_MS = 10_000;
const LONGEST_MS = 120_000;
/** Who has read nothing of a mount by then is not waited for. */
const UNUSED_MS = 600_000;

type StartStatus = NonNullable<Status['mounts'][number]['starts']>[number];

/** One mount's first reads of one image: what is recorded of them, and what is fetched ahead of them. */
export class Start {
  readonly ring: number;
  readonly image: string;
  readonly observation: Observation;
  /** Aborts when nothing more is to be fetched ahead: the start has ended, or the order is wrong. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  #recording: Recording | undefined;
  #following: Following | undefined;
  #order: StartOrder | undefined;
  #fetching: 'under way' | 'ended' | 'stopped' = 'under way';
  #whenRecorded: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When it was looked first, when something was read first, and when something new was read last. */
  #since = 0;
  #first: number | undefined;
  #last = 0;
  #ended = false;

  constructor(ring: number, image: string, observation: Observation) {
    this.ring = ring;
    this.image = image;
    this.observation = observation;
    this.signal = this.#abort.signal;
  }

  get isOver(): boolean {
    return this.#ended;
  }

  /** That of an earlier start, by which this one is fetched. */
  get order(): StartOrder | undefined {
    return this.#order;
  }

  /** Whether it is heard of all that is read: else the kernel opens by itself what is in the cache. */
  get seesAll(): boolean {
    return addon.ringStatus(this.ring)?.unseen !== 1;
  }

  describe(): StartStatus {
    return {
      image: this.image,
      recording: this.#recording === undefined ? 'off' : this.#ended ? 'ended' : 'under way',
      files: this.#recording?.files ?? 0,
      order: this.#order === undefined ? null : this.#describe(this.#order),
    };
  }

  #describe({ files, bytes, foreseen, unforeseen }: StartOrder): StartStatus['order'] {
    return { files, bytes, foreseen, unforeseen, fetching: this.#fetching };
  }

  /** Notes what is read from now on. `whenRecorded` is called once, when the start has ended. */
  record(recording: Recording, following: Following, whenRecorded: () => void): void {
    this.#recording = recording;
    this.#following = following;
    this.#whenRecorded = whenRecorded;
    this.#since = performance.now();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  /** Holds against this what is read from now on. */
  expect(order: StartOrder): void {
    this.#order = order;
  }

  /** All was fetched ahead that is to be. */
  fetched(): void {
    if (this.#fetching === 'under way') this.#fetching = 'ended';
  }

  /** Has nothing more fetched ahead. */
  stopFetching(): void {
    if (this.#fetching === 'under way') this.#fetching = 'stopped';
    this.#abort.abort();
  }

  /** Chunks of a file were asked for. */
  asked(run: Asked): void {
    const now = monotonicMs();
    this.#note(this.#recording?.asked(run, now), now);
  }

  /** What was read until now counts. To be called before the mount's ring and its layers go. */
  end(): void {
    if (this.#ended) return;
    this.#readOpenings();
    this.#ended = true;
    clearInterval(this.#timer);
    this.#following?.stop();
    this.observation.stop();
    this.stopFetching();
    this.#whenRecorded();
  }

  #look(): void {
    const isThere = this.#readOpenings();
    const now = performance.now();
    const isOver =
      this.#first === undefined
        ? now - this.#since > UNUSED_MS
        : now - this.#last > QUIET_MS || now - this.#first > LONGEST_MS;
    if (!isThere || isOver || this.#recording?.isFull) this.end();
  }

  /** Returns whether the mount is there. */
  #readOpenings(): boolean {
    const found = this.#following?.read();
    const { openings, missed } = found ?? { openings: [], missed: 0 };
    for (const { layer, inode, errno, at, waited } of openings) {
      const asked = Math.min(Math.max(0, at - waited), monotonicMs());
      if (errno === 0) this.#note(this.#recording?.opened(layer, inode, asked), asked);
    }
    this.observation.opened(openings, missed);
    return found !== undefined;
  }

  /** What is new. */
  #note(run: FileRun | undefined, at: number): void {
    if (run === undefined) return;
    this.observation.read(run, at);
    this.#last = performance.now();
    this.#first ??= this.#last;
    this.#order?.note(run);
    if (this.#order?.isWrong && this.seesAll) this.stopFetching();
  }
}
