// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** Raised whenever a reader of the old layout would misunderstand the new one; docs/architecture.md describes it. */
const LAYOUT_VERSION = 'v1';

/** The cache's layout: every path in it is made here. */
export class CacheLayout {
  readonly root: string;

  constructor(cacheDirectory: string) {
    this.root = join(cacheDirectory, LAYOUT_VERSION);
  }

  /** Contents of files: `objects/ab/<key>` */
  get objects(): string {
    return join(this.root, 'objects');
  }

  /** What is not whole yet; emptied when a daemon starts. */
  get tmp(): string {
    return join(this.root, 'tmp');
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

  /** The directories whose files are spread over `fanOut`. */
  get spread(): readonly string[] {
    return [this.objects, this.indexes, this.records, this.blobs, this.manifests];
  }

  index(key: string): string {
    return join(this.indexes, key.slice(0, 2), key);
  }

  record(identity: string): string {
    return spread(this.records, identity);
  }

  blob(identity: string): string {
    return spread(this.blobs, identity);
  }

  /** Of a digest, or of the name of an image. */
  manifest(name: string): string {
    return spread(this.manifests, name);
  }
}

function spread(directory: string, name: string): string {
  const key = createHash('sha256').update(name).digest('hex');
  return join(directory, key.slice(0, 2), key);
}

/** The first two hex digits of every key: the directories that keys are spread over. */
export const fanOut: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
