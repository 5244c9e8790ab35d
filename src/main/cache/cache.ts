// SPDX-License-Identifier: GPL-3.0-or-later

import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addon } from '../../native/addon.js';
import { blobOfBlocks, CacheLayout, isToc, type Kind } from '../disk/cache-layout.js';
import { makeDirectories } from '../disk/make-directories.js';
import { putFile } from '../disk/put-file.js';
import { isNoSpace } from '../errors/no-space.js';
import { directoriesOf } from './list.js';
import { removeOutdated } from './outdated.js';

const TAG = 'Signature: 8a477f597d28d172789f06886806bc55\n# This is a cache: see https://bford.info/cachedir/\n';

/** The note of what is on the disk for certain. */
interface Synced {
  readonly bootId: string;
  /** What was published in this generation, or before, is on the disk. */
  readonly generation: number;
}

/**
 * The cache directory while this daemon owns it.
 *
 * Objects and indexes are renamed into place without waiting for the disk. That is safe as long as the machine runs: the
 * page cache is what everybody reads. After a crash of the machine, names can be there whose content never reached the
 * disk. So each of them carries the generation in which it was published, and the daemon notes now and then up to which
 * generation all is on the disk. When it finds that the machine has been started again since, it removes what is of a
 * later generation.
 *
 * The generation is the file's time of modification, in seconds since the epoch: counted, and so beyond the reach of
 * clocks. A time that no daemon has set is no such generation, and the file is removed.
 */
export class Cache {
  readonly layout: CacheLayout;
  readonly #directory: number;
  /** The inodes of the directories that mounts have open. */
  readonly #shared: readonly number[];
  #synced: number;

  /** Opens the cache, whose lock the caller holds. Removes what a crash of the machine may have damaged. */
  constructor(cacheDirectory: string) {
    this.layout = new CacheLayout(cacheDirectory);
    const { root, tmp } = this.layout;
    rmSync(tmp, { recursive: true, force: true });
    for (const directory of this.layout.directories) makeDirectories(directory, 0o700);
    for (const directory of [tmp, this.layout.directory('stubs')]) spreadBelow(directory);
    if (!existsSync(this.layout.tag)) writeFileSync(this.layout.tag, TAG);
    this.#directory = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#shared = this.#inodes();
    this.#synced = this.#recover();
    for (const path of this.layout.outdated) removeOutdated(path).catch(() => undefined);
  }

  /** The generation of what is published first: none that is known to be on the disk. */
  get firstGeneration(): number {
    return this.#synced + 1;
  }

  /** Whether the directories are still those that this daemon uses. */
  isThere(): boolean {
    return this.layout.isThere && this.#inodes().every((inode, n) => inode === this.#shared[n]);
  }

  /** Waits until all that is published now is on the disk, and notes it: nothing more of generation `complete` comes. */
  async sync(complete: number): Promise<void> {
    await addon.syncFileSystem(this.#directory);
    this.#synced = Math.max(this.#synced, complete);
    await this.#note();
  }

  close(): void {
    closeSync(this.#directory);
  }

  #inodes(): number[] {
    const { objects, drafts } = this.layout;
    return [objects, drafts].map((path) => statSync(path, { throwIfNoEntry: false })?.ino ?? 0);
  }

  async #note(): Promise<void> {
    const synced: Synced = { bootId: bootId(), generation: this.#synced };
    const draft = this.layout.draft('synced.json');
    try {
      await writeFile(draft, JSON.stringify(synced), { flush: true });
      await rename(draft, this.layout.synced);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      await rm(this.layout.synced, { force: true }); // no note at all: nothing is certain
    }
  }

  /** Removes what is doubtful, once in each run of the machine. Returns the last generation that is on the disk. */
  #recover(): number {
    const { bootId: then, generation } = readSynced(this.layout);
    if (then === bootId()) return generation;
    for (const { kind, path: directory } of directoriesOf(this.layout)) {
      for (const name of readdirSync(directory)) {
        const path = join(directory, name);
        if (isDoubtful(kind, path, generation)) rmSync(path);
      }
    }
    // not flushed: if this note is lost with the machine, an older one holds
    putFile(this.layout, this.layout.synced, JSON.stringify({ bootId: bootId(), generation } satisfies Synced));
    return generation;
  }
}

/** Has the file system spread what is made below a directory over the disk. */
function spreadBelow(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  addon.spreadDirectories(fd);
  closeSync(fd);
}

/** The note; generation 0 where there is none, or it makes no sense: everything is doubtful then. */
function readSynced(layout: CacheLayout): Synced {
  const { bootId: boot, generation } = parseObject(layout.synced);
  if (typeof boot !== 'string' || typeof generation !== 'number') return { bootId: '', generation: 0 };
  return { bootId: boot, generation };
}

function parseObject(path: string): Partial<Record<keyof Synced, unknown>> {
  try {
    return Object(JSON.parse(readFileSync(path, 'utf8'))) as Partial<Record<keyof Synced, unknown>>;
  } catch {
    return {};
  }
}

/**
 * Whether the machine's end may have taken content from a file that was published in a later generation than this, or
 * from a draft.
 * Records and manifests are too short to be there in part, and are no JSON then. Blobs are checked wherever they are read,
 * and fetched again where they are wrong, but for a TOC that is kept elsewhere: its digest is that of its index alone.
 */
function isDoubtful(kind: Kind, path: string, generation: number): boolean {
  if (kind === 'blobs') return isToc(blobOfBlocks(path) ?? path);
  if (kind === 'drafts') return true;
  if (kind !== 'objects' && kind !== 'index') return false;
  const published = statSync(path).mtimeMs / 1000;
  return published < 1 || published > generation;
}

/** Tells one run of the machine from the next. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
