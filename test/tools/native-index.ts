// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes that are made natively, held against those that TypeScript makes. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobSource } from '../../src/main/blob/source.js';
import type { Layer } from '../../src/main/formats/format.js';
import { recognise } from '../../src/main/formats/recognise.js';
import { buildIndex, type IndexRequest, type IndexSummary } from '../../src/main/index/build.js';
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
  const { start, end } = layer.toc;
  const toc = { start: 1000, end: 1000 + end - start }; // where no file is too large
  const bytes = Buffer.concat([Buffer.alloc(toc.start), await blob.read(start, end - start)]);
  return await natively({ ...layer, toc }, bytes, { blobIdentity, memoryLimit });
}

/** The same of a layer by these bytes, which hold its TOC. */
export async function natively(
  layer: Layer,
  bytes: Uint8Array,
  limits: Pick<IndexRequest, 'blobIdentity' | 'memoryLimit'>,
): Promise<NativeIndex | undefined> {
  const place = mkdtempSync(join(tmpdir(), 'crfs-native-'));
  writeFileSync(join(place, 'blob'), bytes);
  const tocFd = openSync(join(place, 'blob'), 'r');
  try {
    const path = join(place, 'index');
    const summary = await buildNatively({ layer, tocFd, path, ...limits });
    if (summary === undefined) assert.ok(!existsSync(path), 'a file is left of an index that was not made');
    return summary && { summary, bytes: readFileSync(path) };
  } finally {
    closeSync(tocFd);
    rmSync(place, { recursive: true });
  }
}

/** Makes the index of a blob, natively as well: the same, or none. Throws what buildIndex throws. */
export async function buildBoth(blob: BlobSource, path: string, blobIdentity: string): Promise<IndexSummary> {
  const request = { layer: await recognise(blob), path, memoryLimit: indexMemory(0), blobIdentity };
  return await buildAs(await indexNatively(blob, blobIdentity), request);
}

/** Makes an index that was made natively, or was not: the same, or whichever. Throws what buildIndex throws, if it was not. */
export async function buildAs(native: NativeIndex | undefined, request: IndexRequest): Promise<IndexSummary> {
  const summary = await buildIndex(request).catch((error) => {
    assert.equal(native, undefined, 'natively, an index was made of a layer that is refused');
    throw error;
  });
  if (native !== undefined) {
    const bytes = readFileSync(request.path);
    assert.ok(bytes.equals(native.bytes), 'natively, another index was made');
    assert.deepEqual(native.summary, { ...summary, indexDigest: createHash('sha256').update(bytes).digest('hex') });
  }
  return summary;
}
