// SPDX-License-Identifier: GPL-3.0-or-later

import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.js';
import { noteOf } from '../cache/images.js';
import type { References } from '../cache/references.js';
import { type Removed, removeImage } from '../cache/remove.js';
import { sizeLimit, type Trimmed, trim } from '../cache/trim.js';
import type { OpenLayers } from './open-layers.js';

const SYNC_EVERY_MS = 60_000;
const MEASURE_EVERY_MS = 5000;
/** The cache is made smaller than its limit by this share of it, so that not every new object needs another one to go. */
const HEADROOM = 0.1;

/** What the cache takes, in bytes. */
export interface CacheUsage {
  readonly bytes: number;
  /** Of that, what mounts need: it stays, also where it exceeds the limit. */
  readonly pinned: number;
  readonly limit: number;
}

/** Keeps the cache within its limit, and has it noted what of it is on the disk, while a daemon runs. */
export class Upkeep {
  readonly #cache: Cache;
  readonly #layers: OpenLayers;
  readonly #log: Logger;
  readonly #maxSize: number;
  readonly #timers: readonly NodeJS.Timeout[];
  #objectsSynced = 0;
  #trimming = false;
  /** When the cache was last measured: what it took, what of that was pinned, what had been added since the start. */
  #measured: { readonly bytes: number; readonly pinned: number; readonly added: number } | undefined;

  /** Goes on by itself until `stop`. `maxSize` is the setting max-size. */
  constructor(cache: Cache, layers: OpenLayers, maxSize: number, log: Logger) {
    this.#cache = cache;
    this.#layers = layers;
    this.#maxSize = maxSize;
    this.#log = log;
    layers.crew.board.startGeneration(cache.firstGeneration);
    this.#timers = [
      setInterval(() => void this.sync(), SYNC_EVERY_MS).unref(),
      setInterval(() => void this.#keepLimit(), MEASURE_EVERY_MS).unref(),
    ];
  }

  /** As far as it was measured. */
  get usage(): CacheUsage {
    const { bytes, pinned, added } = this.#measured ?? { bytes: 0, pinned: 0, added: 0 };
    return { bytes: bytes + this.#added - added, pinned, limit: sizeLimit(this.#cache.layout, this.#maxSize) };
  }

  /** Makes the cache take at most `limit` bytes, but for what mounts need. */
  async trim(limit: number): Promise<Trimmed> {
    this.#trimming = true;
    try {
      const added = this.#added;
      const trimmed = await trim(this.#cache.layout, limit, this.#layers.pinned());
      this.#measured = { bytes: trimmed.left, pinned: trimmed.pinned, added };
      if (trimmed.removed > 0) {
        this.#layers.forgetReadahead();
        this.#log.info({ ...trimmed, limit }, 'made the cache smaller');
      }
      return trimmed;
    } finally {
      this.#trimming = false;
    }
  }

  /**
   * Removes an image, by its name in notes: src/main/cache/images.ts; `isForced`: also one that podman is noted to
   * use. Rejects with CRFS_NOT_FOUND, CRFS_BUSY if it is mounted, or used.
   */
  async remove(references: References, name: string, isForced: boolean): Promise<Removed> {
    const image = noteOf(this.#cache.layout, name);
    const mounted = this.#layers.pinned();
    const removed = await removeImage(this.#cache.layout, image, { mounted, references, isForced });
    this.#layers.forgetReadahead();
    this.#log.info({ image: name, ...removed }, 'removed an image from the cache');
    return removed;
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Bytes that were added to the cache since the daemon started. */
  get #added(): number {
    return this.#layers.crew.board.counters.all().objectBytes + this.#layers.supply.fetched.bytes;
  }

  /**
   * Measures the cache only when it may have outgrown its limit since it was last measured. Where mounts need more than
   * the limit, it has also to have grown by a part of that: else it would be looked through for nothing, over and over.
   */
  async #keepLimit(): Promise<void> {
    if (this.#trimming) return;
    try {
      const { bytes, limit } = this.usage;
      if (this.#measured === undefined) await this.trim(limit);
      else if (bytes > Math.max(limit, this.#measured.bytes + limit * HEADROOM))
        await this.trim(limit * (1 - HEADROOM));
    } catch (error) {
      this.#log.error(`cannot keep the cache within its limit: ${(error as Error).message}`);
    }
  }

  /** Waits until the disk has what was published so far, if it may not have all of that yet, and notes it. */
  async sync(): Promise<void> {
    const { board } = this.#layers.crew;
    const { objects } = board.counters.all();
    if (objects === this.#objectsSynced) return;
    try {
      await this.#cache.sync(board.nextGeneration());
      this.#objectsSynced = objects;
    } catch (error) {
      this.#log.error(`cannot sync the cache: ${(error as Error).message}`);
    }
  }
}
