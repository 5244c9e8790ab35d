// SPDX-License-Identifier: GPL-3.0-or-later

/** A layer whose TOC is a portable index, which anybody may have written: layout.ts. */

import { createHash } from 'node:crypto';
import { ByteReader } from '../../blob/byte-reader.js';
import type { BlobSource } from '../../blob/source.js';
import { decoded } from '../decode.js';
import type { Entry } from '../entry.js';
import { LayerFault, namingBlob, quote } from '../fault.js';
import type { Layer } from '../format.js';
import { indexed } from '../indexed.js';
import { readEntries } from '../json-toc/read.js';
import type { Places, Points } from '../points.js';
import { inProportion, ranges } from '../toc-bytes.js';
import { decodeHeader, decodePoint, HEADER_BYTES, type Header, POINT_BYTES, type PointRecord } from './layout.js';

/** The layer in a blob of which another one holds the index. No byte of it is read here. Throws CRFS_BAD_LAYER for what is no index of it. */
export async function indexedLayer(blob: Pick<BlobSource, 'name' | 'size'>, index: BlobSource): Promise<Layer> {
  const { name, size } = blob;
  const header = await namingBlob(name, async () => await readHeader(index, size));
  const tocEnd = HEADER_BYTES + header.tocBytes;
  const { layer, points, places } = indexed(blob, header.form);
  return {
    ...layer,
    portable: {
      start: HEADER_BYTES,
      end: tocEnd,
      pointsEnd: tocEnd + header.points * POINT_BYTES,
      windowsEnd: index.size,
    },
    entries: async (add) => {
      const hash = createHash('sha256');
      for await (const piece of ranges(index, 0, index.size)) hash.update(piece);
      await readPoints(index, header, points);
      const json = decoded(ranges(index, HEADER_BYTES, tocEnd), 'gzip', { what: 'the TOC of its index' });
      await readEntries(inProportion(json, header.tocBytes), (entry) => add(placed(entry, places)));
      return hash.digest();
    },
  };
}

/** The header of the index of a blob of so many bytes. Throws LayerFault. */
async function readHeader(index: BlobSource, blobSize: number): Promise<Header> {
  if (index.size < HEADER_BYTES) throw new LayerFault('the index is cut short');
  const header = decodeHeader(bufferOf(await index.read(0, HEADER_BYTES)), index.size);
  if (header.blobSize === blobSize) return header;
  throw new LayerFault(`its index is of a blob of ${header.blobSize} bytes, not ${blobSize}`);
}

/** Reads records and windows side by side, as they stand, in few pieces: memory is the limit of `points`. */
async function readPoints(index: BlobSource, header: Header, points: Points): Promise<void> {
  const start = HEADER_BYTES + header.tocBytes;
  const end = start + header.points * POINT_BYTES;
  const records = new ByteReader(ranges(index, start, end));
  const windows = new ByteReader(ranges(index, end, index.size));
  let before: PointRecord | undefined;
  for (let n = 0; n < header.points; n++) {
    const point = decodePoint(bufferOf(await records.exactly(POINT_BYTES)), before, header);
    if (point.windowBytes > index.size - end - windows.position) throw new LayerFault('a window leaves the index');
    points.take(point, await windows.exactly(point.windowBytes));
    before = point;
  }
  if (end + windows.position !== index.size) throw new LayerFault('the index has bytes behind its windows');
}

/** The place in the tar as one in the blob. Throws LayerFault for content that nothing says how to check. */
function placed(entry: Entry, places: Places): Entry {
  const isFilled = entry.type === 'chunk' || (entry.type === 'reg' && entry.size > 0);
  const unplaced = { ...entry, digest: '', offset: 0, endOffset: 0, innerOffset: 0 };
  if (!isFilled || entry.isZeros) return { ...unplaced, chunkDigest: '' };
  if (entry.chunkDigest === '')
    throw new LayerFault(`entry ${quote(entry.path)}: the index has no digest of its content`);
  return { ...unplaced, ...places.locate(entry.offset) };
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
