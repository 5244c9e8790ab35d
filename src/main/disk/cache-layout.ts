// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Raised whenever a reader of the old layout would misunderstand the new one; docs/architecture.md describes it. */
const LAYOUT_VERSION = 'v4';

/** What the cache holds, each kind in a directory of its name. Stubs are trees, all else are files: csrc/lower/stubs.h. */
export const kinds = ['objects', 'drafts', 'stubs', 'index', 'records', 'blobs', 'manifests', 'images'] as const;
export type Kind = (typeof kinds)[number];

/**
 * The layout of what is cached: every path in it is made here, but for those that are found by listing. What the daemon
 * keeps beside it, a lock and sockets, is told in src/main/daemon/lock.ts and socket-directory.ts.
 */
export class CacheLayout {
  readonly root: string;
  readonly #cacheDirectory: string;

  constructor(cacheDirectory: string) {
    this.#cacheDirectory = cacheDirectory;
    this.root = join(cacheDirectory, LAYOUT_VERSION);
  }

  /** Tells backup programs to leave the cache out. */
  get tag(): string {
    return join(this.#cacheDirectory, 'CACHEDIR.TAG');
  }

  /** What earlier versions have left: nothing of it is read. */
  get outdated(): readonly string[] {
    const names = readdirSync(this.#cacheDirectory).filter((name) => /^v\d+$/.test(name) && name !== LAYOUT_VERSION);
    return names.map((name) => join(this.#cacheDirectory, name));
  }

  directory(kind: Kind): string {
    return join(this.root, kind);
  }

  /** Contents of files: see `objectPath`. */
  get objects(): string {
    return this.directory('objects');
  }

  /** Files of several chunks that are being filled, by the names of their objects: csrc/shared/draft.h. */
  get drafts(): string {
    return this.directory('drafts');
  }

  /** What is not whole yet; emptied when a daemon starts. */
  get tmp(): string {
    return join(this.root, 'tmp');
  }

  /** What containers-storage uses of images: src/main/cache/references.ts. */
  get references(): string {
    return join(this.root, 'references');
  }

  /** By the configuration that names a layer. */
  reference(asked: string): string {
    return join(this.references, hashOf(asked));
  }

  /** In which order images are read when they start: src/main/profile/kept.ts. */
  get profiles(): string {
    return join(this.root, 'profiles');
  }

  /** By the digest of the image's manifest. */
  profile(image: string): string {
    return join(this.profiles, hashOf(image));
  }

  /** How the last start of an image went: src/main/waterfall/kept.ts. */
  get starts(): string {
    return join(this.root, 'starts');
  }

  /** By the digest of the image's manifest. */
  start(image: string): string {
    return join(this.starts, hashOf(image));
  }

  /** Every directory that is always there. */
  get directories(): readonly string[] {
    return [...kinds.map((kind) => this.directory(kind)), this.references, this.profiles, this.starts, this.tmp];
  }

  /** Whether each of these is there: else the cache was removed, or a part of it. */
  get isThere(): boolean {
    return this.directories.every((path) => existsSync(path));
  }

  /** What is written before it is renamed into place; `name` is its writer's to choose. */
  draft(name: string): string {
    return join(this.tmp, name);
  }

  /** What one mount stages, by the number of its session. */
  staging(session: number): string {
    return join(this.tmp, `mount-${session}`);
  }

  /** How much of the cache is known to be on the disk. */
  get synced(): string {
    return join(this.root, 'synced.json');
  }

  index(key: string): string {
    return join(this.directory('index'), key);
  }

  /** What is known of a blob, by its identity. */
  record(identity: string): string {
    return this.#named('records', identity);
  }

  /** What was fetched of a blob; beside it lie those of `blocksOf` and `tocOf`. */
  blob(identity: string): string {
    return this.#named('blobs', identity);
  }

  /** By its digest; or what the name of an image stood for when it was last resolved. */
  manifest(name: string): string {
    return this.#named('manifests', name);
  }

  /** What is known of an image, by the name of it. */
  image(name: string): string {
    return this.#named('images', name);
  }

  #named(kind: Kind, name: string): string {
    return join(this.directory(kind), hashOf(name));
  }
}

function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** The object `name`, or its draft, in a directory that is made when it is first needed. csrc/client/object.c opens it by the same rule. */
export function objectPath(objects: string, name: string): string {
  return `${objects}/${name.slice(0, 2)}/${name}`;
}

const DIGITS = '0123456789abcdef';

/**
 * Where a file is filled that becomes an object, in one of 16 directories, which the file system spreads over the disk: ext4
 * takes inodes from near the directory, and looks long for one where many have been freed a moment ago. Each daemon has
 * its own, in other places than the one before.
 */
function spreadDraft(tmp: string, digit: string, file: string): string {
  return `${tmp}/${process.pid}-${digit}/${file}`;
}

/** What a job has filled of the object `name`. */
export function jobDraft(tmp: string, name: string, job: number): string {
  return spreadDraft(tmp, name.slice(0, 1), `job-${job}`);
}

/** The same, of any object. */
export function jobDrafts(tmp: string, job: number): string[] {
  return Array.from(DIGITS, (digit) => jobDraft(tmp, digit, job));
}

/** What has come of the nth file that a pass keeps: src/workers/index/passed-files.ts. */
export function passDraft(tmp: string, pass: number, n: number): string {
  return spreadDraft(tmp, DIGITS.charAt(n % DIGITS.length), `pass-${pass}`);
}

/** Says which blocks of a blob's file are there. */
export function blocksOf(blob: string): string {
  return `${blob}.blocks`;
}

/** The blob whose blocks a file says; undefined: it is none that does. */
export function blobOfBlocks(path: string): string | undefined {
  return path.endsWith('.blocks') ? path.slice(0, -'.blocks'.length) : undefined;
}

/** The blob with the TOC of a blob that keeps it elsewhere. */
export function tocOf(blob: string): string {
  return `${blob}.toc`;
}

/** Whether a blob's file is that of such a TOC. */
export function isToc(blob: string): boolean {
  return blob.endsWith('.toc');
}
