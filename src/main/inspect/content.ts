// SPDX-License-Identifier: GPL-3.0-or-later

/** The content of a file, fetched chunk by chunk, each checked before any byte of it is handed out. */

import { createHash } from 'node:crypto';
import type { BlobSource } from '../blob/source.js';
import { Window } from '../blob/window.js';
import { zeros } from '../blob/zeros.js';
import { codecOf } from '../formats/codec.js';
import { decoded } from '../formats/decode.js';
import { asBadLayer, LayerFault } from '../formats/fault.js';
import { compareDigest } from '../index/check-digest.js';
import type { IndexReader } from '../index/reader.js';
import { spanOf } from '../index/span.js';
import type { InspectedLayer } from './layer.js';
import { CachedObject } from './object.js';
import type { Part } from './view.js';
import type { Workspace } from './workspace.js';

const READ_BYTES = 4 << 20;
/** What is larger waits for its digest in a file. */
const MEMORY_BYTES = 16 << 20;

/** Chunks of a file that one digest covers. */
interface Unit {
  readonly first: number;
  readonly end: number;
  /** In the file, in bytes. */
  readonly offset: number;
  readonly size: number;
  readonly digest: Uint8Array | undefined;
  readonly what: string;
}

/** Whether the TOC holds digests of all of a file's bytes. */
export function isVerifiable({ layer: { index }, inode }: Part): boolean {
  return unitsOf(index, inode).every(({ first, digest }) => digest !== undefined || index.isZeros(first));
}

/** The content of a regular file: out of the cache, or else out of the blob. Throws CRFS_BAD_LAYER, CRFS_DIGEST, CRFS_NO_SPACE, and what the source throws. */
export async function* contentOf({ layer, inode }: Part, workspace: Workspace): AsyncGenerator<Uint8Array> {
  const { index } = layer;
  const units = unitsOf(index, inode);
  const ofFile = units.length > 1 ? index.fileDigest(inode) : null;
  const whole = ofFile && createHash('sha256');
  const object = await objectOf({ layer, inode });
  try {
    for (const unit of units) {
      const isHere = object !== undefined && (await holds(object, unit));
      for await (const piece of isHere ? object.read(unit.offset, unit.size) : checked(layer, unit, workspace)) {
        whole?.update(piece);
        yield piece;
      }
    }
  } finally {
    await object?.close();
  }
  if (whole && ofFile) compareDigest(whole.digest(), ofFile, `${layer.name}: the file`);
}

async function objectOf({ layer: { objects, index }, inode }: Part): Promise<CachedObject | undefined> {
  return objects === undefined
    ? undefined
    : await CachedObject.open(objects, index.objectName(inode), index.size(inode));
}

/** What is not as it should be is had out of the blob again. */
async function holds(object: CachedObject, { digest, offset, size }: Unit): Promise<boolean> {
  return digest === undefined || (await object.holds(digest, offset, size));
}

function unitsOf(index: IndexReader, inode: number): Unit[] {
  const first = index.chunkFirst(inode);
  const count = index.chunkCount(inode);
  const chunks = Array.from({ length: count }, (_, i) => first + i);
  const ofFile = index.fileDigest(inode) ?? undefined;
  if (ofFile !== undefined && chunks.some((chunk) => index.chunkDigest(chunk) === null && !index.isZeros(chunk))) {
    return [{ first, end: first + count, offset: 0, size: index.size(inode), digest: ofFile, what: 'the file' }];
  }
  return chunks.map((chunk) => ({
    first: chunk,
    end: chunk + 1,
    offset: index.chunkFileOffset(chunk),
    size: index.chunkSize(chunk),
    digest: index.chunkDigest(chunk) ?? undefined,
    what: `the chunk at ${index.chunkFileOffset(chunk)}`,
  }));
}

async function* checked(layer: InspectedLayer, unit: Unit, workspace: Workspace): AsyncGenerator<Uint8Array> {
  if (unit.digest === undefined) {
    yield* unchecked(layer, unit);
    return;
  }
  const hash = createHash('sha256');
  const file = unit.size > MEMORY_BYTES ? await workspace.file() : undefined;
  const held: Uint8Array[] = [];
  try {
    for await (const piece of unchecked(layer, unit)) {
      hash.update(piece);
      if (file === undefined) held.push(piece);
      else await file.appendFile(piece);
    }
    compareDigest(hash.digest(), unit.digest, `${layer.name}: ${unit.what}`);
    if (file === undefined) yield* held;
    else yield* file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Uint8Array>;
  } finally {
    await file?.close();
  }
}

async function* unchecked(layer: InspectedLayer, { first, end }: Unit): AsyncGenerator<Uint8Array> {
  for (let chunk = first; chunk < end; chunk++) yield* chunkContent(layer, chunk);
}

/** The content of one chunk, out of the member that holds it. */
async function* chunkContent(layer: InspectedLayer, chunk: number): AsyncGenerator<Uint8Array> {
  const { index, blob } = layer;
  if (index.isZeros(chunk)) {
    yield* zeros(index.chunkSize(chunk));
    return;
  }
  const [start, end] = spanOf(layer, chunk);
  const { form, part } = codecOf(index.codec);
  const what = `the ${part} at ${start}`;
  const window = new Window(index.chunkInner(chunk), index.chunkSize(chunk));
  try {
    for await (const piece of decoded(ranges(blob, start, end), form, { what, restart: index.restart(start) })) {
      const content = window.cut(piece);
      if (content.length > 0) yield content;
      if (window.left === 0) return;
    }
    throw new LayerFault(`${what} holds less than the TOC says`);
  } catch (error) {
    throw asBadLayer(error, blob.name);
  }
}

/** Bytes [start, end) of a blob; the next piece is on its way while one is used. */
async function* ranges(blob: BlobSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  let next = blob.read(start, Math.min(READ_BYTES, end - start));
  for (let at = start; at < end; at += READ_BYTES) {
    const bytes = await next;
    const after = at + READ_BYTES;
    if (after < end) {
      next = blob.read(after, Math.min(READ_BYTES, end - after));
      next.catch(() => undefined); // met where it is awaited, if it still is
    }
    yield bytes;
  }
}
