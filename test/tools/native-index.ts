// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes that are made natively, held against those that TypeScript makes. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobSource } from '../../src/main/blob/source.js';
import { recognise } from '../../src/main/formats/recognise.js';
import { buildIndex, type IndexSummary } from '../../src/main/index/build.js';
import { buildNatively } from '../../src/main/index/build-natively.js';
import { indexMemory } from '../../src/main/index/memory.js';

export interface NativeIndex {
  readonly bytes: Buffer;
  readonly summary: object;
}

/** Makes the index of a blob natively; undefined: it is none of those that are. */
export async function indexNatively(
  blob: BlobSource,
  blobIdentity = 'blob',
  memoryLimit = indexMemory(0),
): Promise<NativeIndex | undefined> {
  const layer = await recognise(blob);
  if (layer.toc === undefined) return undefined;
  const place = mkdtempSync(join(tmpdir(), 'crfs-native-'));
  const tocFd = openSync(join(place, 'blob'), 'w+');
  try {
    const { start, end } = layer.toc;
    const toc = { start: 1000, end: 1000 + end - start }; // where no file is too large
    writeSync(tocFd, await blob.read(start, end - start), 0, end - start, toc.start);
    const path = join(place, 'index');
    const summary = await buildNatively({ layer: { ...layer, toc }, tocFd, path, memoryLimit, blobIdentity });
    if (summary === undefined) assert.ok(!existsSync(path), 'a file is left of an index that was not made');
    return summary && { summary, bytes: readFileSync(path) };
  } finally {
    closeSync(tocFd);
    rmSync(place, { recursive: true });
  }
}

/** Makes the index of a blob, natively as well: the same, or none. Throws what buildIndex throws. */
export async function buildBoth(blob: BlobSource, path: string, blobIdentity: string): Promise<IndexSummary> {
  const layer = await recognise(blob);
  const native = await indexNatively(blob, blobIdentity);
  const summary = await buildIndex({ layer, path, memoryLimit: indexMemory(0), blobIdentity }).catch((error) => {
    assert.equal(native, undefined, 'natively, an index was made of a layer that is refused');
    throw error;
  });
  if (native !== undefined) {
    const bytes = readFileSync(path);
    assert.ok(bytes.equals(native.bytes), 'natively, another index was made');
    assert.deepEqual(native.summary, { ...summary, indexDigest: createHash('sha256').update(bytes).digest('hex') });
  }
  return summary;
}
