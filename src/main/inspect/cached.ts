// SPDX-License-Identifier: GPL-3.0-or-later

/** What the cache has of layers: looked at where it lies, without a daemon. Nothing is written. */

import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { addon } from '../../native/addon.js';
import { type BlobRecord, readIndexedRecord } from '../cache/records.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { IndexReader } from '../index/reader.js';
import { isPlain } from '../plain/plain.js';
import type { AnyLayerSource } from './found-image.js';
import type { InspectedLayer } from './layer.js';
import { ownCache } from './own-cache.js';

/** The layer, as a mount has read its TOC; undefined: the cache has no index of it, or not the one that its manifest names. */
export async function cachedLayer(layer: AnyLayerSource, number: number): Promise<InspectedLayer | undefined> {
  const cache = ownCache();
  const record = cache && keptRecord(cache, layer);
  if (cache === undefined || record === undefined || !isNamed(layer, record)) return undefined;
  const indexFd = await openIndex(cache.index(record.key), record);
  if (indexFd === undefined) return undefined;
  const { kind, tocOffset, tocDigest } = record;
  const index = new IndexReader(addon.map(indexFd, false));
  const facts = { number, name: layer.name, digest: layer.digest, kind, tocOffset, tocDigest, index, indexFd };
  return { ...facts, objects: cache.objects, blob: await layer.open() };
}

/** What is known of a layer whose index the cache has: as it was read here, or by one that is attached to its image. */
export function keptRecord(cache: CacheLayout, { identity, indexed }: AnyLayerSource): BlobRecord | undefined {
  return readIndexedRecord(cache, identity) ?? (indexed && readIndexedRecord(cache, indexed.identity));
}

/** Whether it is the TOC, or the blob that is its own TOC, which the manifest names, if it names one. */
function isNamed({ digest, tocDigest }: AnyLayerSource, record: BlobRecord): boolean {
  const named = isPlain(record.kind) ? digest : tocDigest;
  return named === undefined || named === `sha256:${record.tocDigest}`;
}

/** undefined: it is not there, or is not what it was: a machine may have died before all of it was on the disk. */
async function openIndex(path: string, { indexDigest }: BlobRecord): Promise<number | undefined> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream('', { fd, start: 0, autoClose: false, highWaterMark: 1 << 20 }), hash);
  if (hash.digest('hex') === indexDigest) return fd;
  closeSync(fd);
  return undefined;
}
