// SPDX-License-Identifier: GPL-3.0-or-later

import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addon } from '../../native/addon.js';
import { isNoSpace } from '../errors/no-space.js';
import { directoriesOf } from './contents.js';
import { CacheLayout } from './layout.js';

const TAG = 'Signature: 8a477f597d28d172789f06886806bc55\n# This is a cache: see https://bford.info/cachedir/\n';

/** What is on the disk for certain, as of a daemon's last look. */
interface Synced {
  readonly bootId: string;
  /** Milliseconds since the epoch: what was published before is on the disk. */
  readonly before: number;
}

/**
 * The cache directory while this daemon owns it.
 *
 * Objects are renamed into place without waiting for the disk. That is safe as long as the machine runs: the page cache
 * is what everybody reads. After a crash of the machine, names can be there whose content never reached the disk; so the
 * daemon notes now and then up to when all is on the disk, and drops what was published later if the machine has been
 * started anew since.
 */
export class Cache {
  readonly layout: CacheLayout;
  readonly #directory: number;
  readonly #objectsInode: number;
  #syncedBefore: number;

  /** Opens the cache: the caller holds its lock. Leaves it without drafts, and without doubtful objects. */
  constructor(cacheDirectory: string) {
    this.layout = new CacheLayout(cacheDirectory);
    const { root, tmp } = this.layout;
    rmSync(tmp, { recursive: true, force: true });
    for (const directory of this.layout.directories) mkdirSync(directory, { recursive: true, mode: 0o700 });
    const tag = join(cacheDirectory, 'CACHEDIR.TAG');
    if (!existsSync(tag)) writeFileSync(tag, TAG);
    this.#directory = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#objectsInode = statSync(this.layout.objects).ino;
    this.#syncedBefore = this.#recover();
  }

  /** Whether the directories are still those that this daemon uses. */
  isThere(): boolean {
    const { objects, tmp } = this.layout;
    return existsSync(tmp) && statSync(objects, { throwIfNoEntry: false })?.ino === this.#objectsInode;
  }

  /** Waits until all that is published now is on the disk, and notes it. */
  async sync(): Promise<void> {
    const now = Date.now();
    await addon.syncFileSystem(this.#directory);
    this.#syncedBefore = now;
    await this.#note();
  }

  /** The last call: nothing is published any more. */
  async close(): Promise<void> {
    if (this.isThere()) await this.sync();
    closeSync(this.#directory);
  }

  async #note(): Promise<void> {
    const synced: Synced = { bootId: bootId(), before: this.#syncedBefore };
    const draft = join(this.layout.tmp, 'synced.json');
    try {
      await writeFile(draft, JSON.stringify(synced), { flush: true });
      await rename(draft, this.layout.synced);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      await rm(this.layout.synced, { force: true }); // no note at all: nothing is certain
    }
  }

  /**
   * Drops what is doubtful, once in each run of the machine. Returns before when all that is left was published to the
   * disk for certain. A directory that did not change has nothing new in it.
   */
  #recover(): number {
    const synced = this.#synced();
    const before = synced?.before ?? 0;
    if (synced?.bootId === bootId()) return before;
    for (const { path: directory } of directoriesOf(this.layout)) {
      if (statSync(directory).mtimeMs < before) continue;
      for (const name of readdirSync(directory)) {
        const path = join(directory, name);
        if (statSync(path).ctimeMs >= before) rmSync(path);
      }
    }
    // not flushed: if this note is lost with the machine, an older one holds
    const draft = join(this.layout.tmp, 'synced.json');
    writeFileSync(draft, JSON.stringify({ bootId: bootId(), before } satisfies Synced));
    renameSync(draft, this.layout.synced);
    return before;
  }

  #synced(): Synced | undefined {
    try {
      return JSON.parse(readFileSync(this.layout.synced, 'utf8')) as Synced;
    } catch {
      return undefined; // a new cache, or a note that says nothing: all is doubtful then
    }
  }
}

/** Tells one run of the machine from the next. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
