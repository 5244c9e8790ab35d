// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { addon } from '../../native/addon.js';
import { blobOfBlocks, type CacheLayout, type Kind } from '../disk/cache-layout.js';
import { BLOCK } from '../fetch/blocks.js';
import { IndexReader } from '../index/reader.js';
import { type CacheFile, cacheFiles } from './list.js';
import { parseRecord } from './records.js';

export interface Verified {
  readonly checked: number;
  /** Objects without any digest to check them by: only their size was. */
  readonly unverifiable: number;
  /** What was bad, and is removed. */
  readonly removed: readonly { readonly path: string; readonly why: string }[];
}

/** How to check an object: by one digest of all, or by those of its chunks. */
interface Expected {
  readonly size: number;
  readonly chunks: readonly { readonly offset: number; readonly size: number; readonly digest: string | null }[];
}

/**
 * Reads the whole cache: holds every index against its rules and the digest in its record, every object against its
 * digests, and every map of blocks against its blob. Removes what is bad, which will be made or fetched again when it is
 * wanted. What others remove meanwhile is passed over.
 */
export async function verifyCache(layout: CacheLayout): Promise<Verified> {
  const removed: { path: string; why: string }[] = [];
  const files: Record<Kind, CacheFile[]> = {
    objects: [],
    drafts: [],
    stubs: [],
    index: [],
    records: [],
    blobs: [],
    manifests: [],
    images: [],
  };
  for await (const file of cacheFiles(layout)) files[file.kind].push(file);
  let checked = 0;
  /** Resolves to whether there was something to check. */
  const judge = async (file: CacheFile, check: Promise<string | undefined>): Promise<boolean> => {
    const why = await check.catch(goneMeanwhile);
    if (why === GONE) return false;
    checked++;
    if (why !== undefined) {
      await rm(file.path, { force: true });
      removed.push({ path: file.path, why });
    }
    return true;
  };
  const indexDigests = new Map<string, Set<string>>();
  for (const file of files.records) await judge(file, checkRecord(file, indexDigests));
  const expected = new Map<string, Expected>();
  for (const file of files.index) await judge(file, checkIndex(file, indexDigests, expected));
  let unverifiable = 0;
  for (const file of files.objects) {
    const name = basename(file.path);
    const known = expected.get(name) ?? expectedByName(name, file.size);
    const wasThere = await judge(file, checkObject(file, known));
    if (wasThere && known.chunks.some(({ digest }) => digest === null)) unverifiable++;
  }
  const sizes = new Map(files.blobs.map(({ path, size }) => [path, size]));
  for (const file of files.blobs) {
    const blob = blobOfBlocks(file.path);
    if (blob !== undefined) await judge(file, checkBlocks(file, sizes.get(blob)));
  }
  return { checked, unverifiable, removed };
}

const GONE = Symbol('gone');

/** What was evicted since it was listed is not bad. */
function goneMeanwhile(error: NodeJS.ErrnoException): typeof GONE {
  if (error.code === 'ENOENT') return GONE;
  throw error;
}

/** Notes the digest of the index that it speaks of, by the name of that. */
async function checkRecord({ path }: CacheFile, digests: Map<string, Set<string>>): Promise<string | undefined> {
  const record = parseRecord(await readFile(path, 'utf8'));
  if (record === undefined) return 'no record of a blob';
  const known = digests.get(record.key) ?? new Set();
  digests.set(record.key, known.add(record.indexDigest));
  return undefined;
}

async function checkIndex(
  { path }: CacheFile,
  digests: ReadonlyMap<string, ReadonlySet<string>>,
  expected: Map<string, Expected>,
): Promise<string | undefined> {
  const bytes = await readFile(path);
  const wrong = addon.indexCheck(bytes);
  if (wrong !== null) return wrong;
  const wanted = digests.get(basename(path));
  const found = createHash('sha256').update(bytes).digest('hex');
  if (wanted && !wanted.has(found)) return `sha256 ${found}, not ${[...wanted].join(' or ')}`;
  const index = new IndexReader(bytes);
  for (let inode = 0; inode < index.inodes; inode++) {
    if (!index.isFile(inode) || index.chunkCount(inode) === 0) continue;
    expected.set(index.objectName(inode), expectedOf(index, inode));
  }
  return undefined;
}

function expectedOf(index: IndexReader, inode: number): Expected {
  const size = index.size(inode);
  const first = index.chunkFirst(inode);
  const ofFile = index.fileDigest(inode);
  if (ofFile && (index.chunkCount(inode) === 1 || index.isCheckedWhole(inode))) {
    return { size, chunks: [{ offset: 0, size, digest: Buffer.from(ofFile).toString('hex') }] };
  }
  const chunks = Array.from({ length: index.chunkCount(inode) }, (_, n) => {
    const digest = index.chunkDigest(first + n);
    return {
      offset: index.chunkFileOffset(first + n),
      size: index.chunkSize(first + n),
      digest: digest ? Buffer.from(digest).toString('hex') : null,
    };
  });
  return { size, chunks };
}

/** Of an object that no index speaks of. */
function expectedByName(name: string, size: number): Expected {
  return { size, chunks: [{ offset: 0, size, digest: /^[0-9a-f]{64}$/.test(name) ? name : null }] };
}

async function checkObject({ path, size }: CacheFile, { size: wanted, chunks }: Expected): Promise<string | undefined> {
  if (size !== wanted) return `${size} bytes, not ${wanted}`;
  for (const chunk of chunks) {
    if (chunk.digest === null) continue;
    const hash = createHash('sha256');
    const end = chunk.offset + chunk.size - 1;
    for await (const piece of createReadStream(path, { start: chunk.offset, end })) hash.update(piece as Buffer);
    const found = hash.digest('hex');
    if (found !== chunk.digest) return `sha256 ${found}, not ${chunk.digest}`;
  }
  return undefined;
}

/** The blob itself is checked where it is read: every chunk has its digest. */
async function checkBlocks({ path, size }: CacheFile, blob: number | undefined): Promise<string | undefined> {
  if (blob === undefined) return 'its blob is not there';
  if (size !== Math.ceil(blob / BLOCK)) return `${size} blocks for a blob of ${blob} bytes`;
  const map = await readFile(path);
  return map.every((byte) => byte <= 1) ? undefined : 'a block that is neither there nor not';
}
