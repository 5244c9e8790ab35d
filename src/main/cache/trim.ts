// SPDX-License-Identifier: GPL-3.0-or-later

import { statfsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CacheLayout, Kind } from '../disk/cache-layout.js';
import { freeSpace } from '../disk/free-space.js';
import { nearestDirectory } from '../disk/nearest-directory.js';
import { filesToKeep } from './images.js';
import { type CacheFile, cacheFiles } from './list.js';
import { filesOf, readReferences } from './references.js';
import { removeStubs } from './stubs.js';

/** By default, the limit is the size of the file system, divided by this. */
const DEFAULT_PART = 10;
/** Contents of files may take this part of the limit, however much of it mounts need for other things. */
const CONTENTS_PART = 1 / 4;
/** Of one layer: making more of them takes longer than most programs would wait for them to be decoded. */
const KEPT_FILES = 50_000;
/** What a mount may be about to use: it was found a moment ago, and is not open yet. */
const FRESH_MS = 60_000;

/** The limit that `max-size` stands for: 0 is a tenth of the file system. */
export function sizeLimit(layout: CacheLayout, maxSize: number): number {
  if (maxSize > 0) return maxSize;
  const { blocks, bsize } = statfsSync(nearestDirectory(dirname(layout.root)));
  return Math.floor((blocks * bsize) / DEFAULT_PART);
}

/** Bytes that blobs in use may take before nothing more is fetched in the background. */
export function blobLimit(limit: number): number {
  return limit - contentsLimit(limit);
}

/** Bytes that contents of files may take in any case. */
function contentsLimit(limit: number): number {
  return limit * CONTENTS_PART;
}

/**
 * What may be kept of a layer as a pass comes by, in a cache that may take `limit` bytes: a part of what the disk takes besides what is `coming` of the
 * layer's blob, since indexes and other layers are to find room there, too.
 */
export function keptLimit(layout: CacheLayout, limit: number, coming: number): { bytes: number; files: number } {
  const { bytes, files } = freeSpace(layout.root);
  return {
    bytes: Math.min(contentsLimit(limit), (bytes - coming) * CONTENTS_PART),
    files: Math.min(files * CONTENTS_PART, KEPT_FILES),
  };
}

/** What may go whatever mounts there are: whoever uses it keeps it, or has it made again. */
const ANY_TIME: ReadonlySet<Kind> = new Set(['objects', 'drafts', 'stubs']);

export interface Trimmed {
  readonly removed: number;
  readonly freed: number;
  /** Bytes that are left. */
  readonly left: number;
  /** Bytes among them that mounts need, or that are pinned. */
  readonly pinned: number;
  /** Bytes among them that mounts may be about to need: they were used a moment ago. */
  readonly fresh: number;
}

/**
 * Removes what was not used for longest until the cache takes at most `limit` bytes; first of all what seems to be used later
 * than now. Images that are pinned stay, and what containers-storage refers to (references.ts). Of a cache with mounts, files in
 * `pinned` stay too, or all that some mount could need, where that is unknown; contents of files may go at any time: whoever
 * has one open keeps it, and whoever wants it next has it filled again. Where mounts need so much that little or nothing
 * of the limit is left, a part of it is for contents all the same: a cache that kept none would fill every file at every
 * open.
 */
export async function trim(
  layout: CacheLayout,
  limit: number,
  pinned?: ReadonlySet<string> | 'unknown',
): Promise<Trimmed> {
  const removable: CacheFile[] = [];
  const now = Date.now();
  const fresh = now - FRESH_MS;
  const referenced = new Set(readReferences(layout).flatMap((reference) => filesOf(layout, reference)));
  const kept = filesToKeep(layout, pinned instanceof Set ? pinned : new Set());
  let left = 0;
  let needed = 0;
  let justUsed = 0;
  for await (const found of cacheFiles(layout)) {
    const file = found.used > now + FRESH_MS ? { ...found, used: 0 } : found; // by a clock that was set back since
    left += file.bytes;
    const mounted = pinned && (pinned === 'unknown' || file.used >= fresh);
    const wanted = mounted || kept.has(file.path) || referenced.has(file.path);
    if (ANY_TIME.has(file.kind) || !wanted) removable.push(file);
    else {
      needed += file.bytes;
      if (pinned !== 'unknown' && !kept.has(file.path) && !referenced.has(file.path)) justUsed += file.bytes;
    }
  }
  removable.sort((a, b) => a.used - b.used);
  const most = Math.max(limit, needed + contentsLimit(limit));
  let removed = 0;
  let freed = 0;
  for (const { kind, path, bytes } of removable) {
    if (left <= most) break;
    if (!(await remove(kind, path))) continue;
    removed++;
    freed += bytes;
    left -= bytes;
  }
  return { removed, freed, left, pinned: needed - justUsed, fresh: justUsed };
}

/** Returns whether it has gone. */
async function remove(kind: Kind, path: string): Promise<boolean> {
  if (kind === 'stubs') return await removeStubs(path).catch(() => false);
  await rm(path, { force: true });
  return true;
}
