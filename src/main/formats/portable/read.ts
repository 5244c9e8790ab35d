// SPDX-License-Identifier: GPL-3.0-or-later

/** A layer in gzip whose TOC is a portable index, which anybody may have written: layout.ts. */

import { createHash } from 'node:crypto';
import { ByteReader } from '../../blob/byte-reader.js';
import type { BlobSource } from '../../blob/source.js';
import { GZIP_POINTS } from '../codec.js';
import { decoded } from '../decode.js';
import type { Entry } from '../entry.js';
import { LayerFault, quote } from '../fault.js';
import type { Layer } from '../format.js';
import { readEntries } from '../json-toc/read.js';
import { Points } from '../points.js';
import { inProportion, ranges } from '../toc-bytes.js';
import { decodeHeader, decodePoint, HEADER_BYTES, type Header, POINT_BYTES, type PointRecord } from './layout.js';

export const INDEXED_GZIP = 'plain gzip, by an index in its registry';

/** The layer in a blob in gzip, of which another blob holds the index. No byte of it is read here. */
export function indexedLayer({ name, size }: Pick<BlobSource, 'name' | 'size'>): Layer {
  const points = new Points();
  return {
    name,
    kind: INDEXED_GZIP,
    codec: GZIP_POINTS,
    contentEnd: size,
    toc: undefined,
    points,
    endOf: (offset, bytes) => points.endOf(offset, bytes),
    entries: async (add, index) => {
      if (index === undefined) throw new LayerFault('its index is not there');
      return await readIndex(index, size, points, add);
    },
  };
}

/** Resolves to the sha256 of the index. */
async function readIndex(
  index: BlobSource,
  blobSize: number,
  points: Points,
  add: (entry: Entry) => void,
): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const piece of ranges(index, 0, index.size)) hash.update(piece);
  const header = await headerOf(index);
  if (header.blobSize !== blobSize) {
    throw new LayerFault(`its index is of a blob of ${header.blobSize} bytes, not ${blobSize}`);
  }
  await readPoints(index, header, points);
  const tocEnd = HEADER_BYTES + header.tocBytes;
  const json = decoded(ranges(index, HEADER_BYTES, tocEnd), 'gzip', { what: 'the TOC of its index' });
  await readEntries(inProportion(json, header.tocBytes), (entry) => add(placed(entry, points)));
  return hash.digest();
}

/** Reads records and windows side by side, as they stand, in few pieces: memory is the limit of `points`. */
async function readPoints(index: BlobSource, header: Header, points: Points): Promise<void> {
  const start = HEADER_BYTES + header.tocBytes;
  const end = start + header.points * POINT_BYTES;
  const records = new ByteReader(ranges(index, start, end));
  const windows = new ByteReader(ranges(index, end, index.size));
  let before: PointRecord | undefined;
  for (let n = 0; n < header.points; n++) {
    const point = decodePoint(bufferOf(await records.exactly(POINT_BYTES)), before, header.blobSize);
    if (point.windowBytes > index.size - end - windows.position) throw new LayerFault('a window leaves the index');
    points.take(point, await windows.exactly(point.windowBytes));
    before = point;
  }
  if (end + windows.position !== index.size) throw new LayerFault('the index has bytes behind its windows');
}

/** The place in the tar as one in the blob. Throws LayerFault for content that nothing says how to check. */
function placed(entry: Entry, points: Points): Entry {
  const isFilled = entry.type === 'chunk' || (entry.type === 'reg' && entry.size > 0);
  const unplaced = { ...entry, digest: '', offset: 0, endOffset: 0, innerOffset: 0 };
  if (!isFilled || entry.isZeros) return { ...unplaced, chunkDigest: '' };
  if (entry.chunkDigest === '')
    throw new LayerFault(`entry ${quote(entry.path)}: the index has no digest of its content`);
  return { ...unplaced, ...points.locate(entry.offset) };
}

async function headerOf(index: BlobSource): Promise<Header> {
  if (index.size < HEADER_BYTES) throw new LayerFault('the index is cut short');
  return decodeHeader(bufferOf(await index.read(0, HEADER_BYTES)), index.size);
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
