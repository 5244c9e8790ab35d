// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Raised whenever a reader of the old layout would misunderstand the new one; docs/architecture.md describes it. */
const LAYOUT_VERSION = 'v2';

/** The cache's layout: every path in it is made here. */
export class CacheLayout {
  readonly root: string;
  readonly #cacheDirectory: string;

  constructor(cacheDirectory: string) {
    this.#cacheDirectory = cacheDirectory;
    this.root = join(cacheDirectory, LAYOUT_VERSION);
  }

  /** What earlier versions have left: nothing of it is read. */
  get outdated(): readonly string[] {
    const names = readdirSync(this.#cacheDirectory).filter((name) => /^v\d+$/.test(name) && name !== LAYOUT_VERSION);
    return names.map((name) => join(this.#cacheDirectory, name));
  }

  /** Contents of files: `objects/ab/<name>`, where `ab` is made when it is first needed. */
  get objects(): string {
    return join(this.root, 'objects');
  }

  /** What is not whole yet; emptied when a daemon starts. */
  get tmp(): string {
    return join(this.root, 'tmp');
  }

  /** What is written before it is renamed into place; `name` is its writer's to choose. */
  draft(name: string): string {
    return join(this.tmp, name);
  }

  /** What one mount stages, by the number of its session. */
  staging(session: number): string {
    return join(this.tmp, `mount-${session}`);
  }

  /** What was fetched of blobs. */
  get blobs(): string {
    return join(this.root, 'blobs');
  }

  /** Manifests by digest, and what names stood for when they were last resolved. */
  get manifests(): string {
    return join(this.root, 'manifests');
  }

  get indexes(): string {
    return join(this.root, 'index');
  }

  /** What is known of blobs, by their identity. */
  get records(): string {
    return join(this.root, 'records');
  }

  /** How much of the cache is known to be on the disk. */
  get synced(): string {
    return join(this.root, 'synced.json');
  }

  /** Every directory that is always there. */
  get directories(): readonly string[] {
    return [this.objects, this.indexes, this.records, this.blobs, this.manifests, this.tmp];
  }

  index(key: string): string {
    return join(this.indexes, key);
  }

  record(identity: string): string {
    return named(this.records, identity);
  }

  blob(identity: string): string {
    return named(this.blobs, identity);
  }

  /** Of a digest, or of the name of an image. */
  manifest(name: string): string {
    return named(this.manifests, name);
  }
}

function named(directory: string, name: string): string {
  return join(directory, createHash('sha256').update(name).digest('hex'));
}
