// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readFileSync } from 'node:fs';
import type { CacheLayout } from '../disk/cache-layout.js';
import { putFile } from '../disk/put-file.js';

/** What was learned of a blob when its TOC was read: enough to serve it again without reading the TOC. */
export interface BlobRecord {
  /** Names the index: `CacheLayout.index`. */
  readonly key: string;
  /** sha256 of the TOC, as manifests name it, in hex. */
  readonly tocDigest: string;
  /** Where the TOC begins: every member of the blob ends before it. */
  readonly tocOffset: number;
  readonly kind: string;
  /** Some file has no digest in the TOC, so its bytes cannot be checked. */
  readonly unverified: boolean;
  /** Everything with a path, each inode once; the regular files of these, and the sum of their sizes. */
  readonly inodes: number;
  readonly files: number;
  readonly contentSize: number;
  /** sha256 of the index, in hex: what `crfs cache verify` holds it against. */
  readonly indexDigest: string;
}

/** The identity of a blob as an index has it that is attached to an image, of this name by digest: whoever may write there says what it is. */
export function indexedIdentity(identity: string, image: string): string {
  return `${identity}, by an index of ${image}`;
}

/** The record of a blob, or undefined if it was never seen. `identity` says which bytes a blob has. */
export function readRecord(layout: CacheLayout, identity: string): BlobRecord | undefined {
  try {
    return parseRecord(readFileSync(layout.record(identity), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The record of a blob whose index the cache has; else undefined. */
export function readIndexedRecord(layout: CacheLayout, identity: string): BlobRecord | undefined {
  const record = readRecord(layout, identity);
  return record && existsSync(layout.index(record.key)) ? record : undefined;
}

/** A record as it is written, or undefined if that is none. */
export function parseRecord(text: string): BlobRecord | undefined {
  try {
    return checked(JSON.parse(text) as Partial<Record<keyof BlobRecord, unknown>>);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Writes the record of a blob. Throws as the file system does. */
export function writeRecord(layout: CacheLayout, identity: string, record: BlobRecord): void {
  putFile(layout, layout.record(identity), `${JSON.stringify(record)}\n`);
}

function checked(record: Partial<Record<keyof BlobRecord, unknown>> | null): BlobRecord | undefined {
  if (record === null) return undefined;
  const digests = [record.key, record.tocDigest, record.indexDigest];
  const numbers = [record.tocOffset, record.inodes, record.files, record.contentSize];
  const sound =
    digests.every((digest) => typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest)) &&
    numbers.every((number) => Number.isSafeInteger(number)) &&
    typeof record.kind === 'string' &&
    typeof record.unverified === 'boolean';
  return sound ? (record as BlobRecord) : undefined;
}
