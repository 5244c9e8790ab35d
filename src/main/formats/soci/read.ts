// SPDX-License-Identifier: GPL-3.0-or-later

/** A layer whose TOC is a zTOC of SOCI, which anybody may have written. It has no digest of what any file holds. */

import { createHash } from 'node:crypto';
import type { BlobSource } from '../../blob/source.js';
import type { Entry } from '../entry.js';
import { LayerFault, namingBlob, quote } from '../fault.js';
import type { Layer } from '../format.js';
import { indexed } from '../indexed.js';
import { readEntry } from '../json-toc/entry.js';
import { PLAIN_CHUNK_BYTES, type Places } from '../points.js';
import { ranges } from '../toc-bytes.js';
import { Ztoc, type ZtocFile } from './ztoc.js';

/** Bytes: all of a zTOC is held in memory. Of a checkpoint for each 4 MiB of the tar, as by default, it has a twentieth of the blob's. */
const ZTOC_LIMIT = 256 << 20;
const FREE_BYTES = 16 << 20;
const PART_OF_BLOB = 1 / 8;
/** No stream of deflate decodes to more bytes for each of its own. */
const DEFLATE_RATIO = 1032;

/** The layer in a blob of which a zTOC is the index. No byte of the blob is read here. Throws CRFS_BAD_LAYER for what is no index of it. */
export async function sociLayer(blob: Pick<BlobSource, 'name' | 'size'>, index: BlobSource): Promise<Layer> {
  const { name, size } = blob;
  const bytes = await namingBlob(name, async () => await bytesOf(index, size));
  const ztoc = await namingBlob(name, async () => within(() => ztocOf(bytes, size)));
  const { layer, points, places } = indexed(blob, ztoc.form);
  return {
    ...layer,
    entries: async (add) => {
      within(() => {
        if (ztoc.form === 'gzip') ztoc.readPoints(points);
        addFiles(ztoc, places, add);
      });
      return createHash('sha256').update(bytes).digest();
    },
  };
}

/** Bytes that the zTOC of a blob of `blobSize` bytes may have. */
export function ztocLimit(blobSize: number): number {
  return Math.min(ZTOC_LIMIT, FREE_BYTES + Math.floor(blobSize * PART_OF_BLOB));
}

async function bytesOf(index: BlobSource, blobSize: number): Promise<Buffer> {
  const limit = ztocLimit(blobSize);
  if (index.size > limit) throw new LayerFault(`its index has ${index.size} bytes, more than ${limit}`);
  const pieces: Uint8Array[] = [];
  for await (const piece of ranges(index, 0, index.size)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What reads outside of the bytes throws a LayerFault. */
function within<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new LayerFault('its index is damaged', { cause: error });
    throw error;
  }
}

function ztocOf(bytes: Buffer, blobSize: number): Ztoc {
  const ztoc = new Ztoc(bytes);
  if (ztoc.blobSize !== blobSize) {
    throw new LayerFault(`its index is of a blob of ${ztoc.blobSize} bytes, not ${blobSize}`);
  }
  const most = ztoc.form === 'none' ? blobSize : blobSize * DEFLATE_RATIO;
  if (ztoc.tarSize > most)
    throw new LayerFault(`its index is of a tar of ${ztoc.tarSize} bytes in a blob of ${blobSize}`);
  return ztoc;
}

/** Throws LayerFault for content that is not where a tar can have it, and what `add` throws. */
function addFiles(ztoc: Ztoc, places: Places, add: (entry: Entry) => void): void {
  let end = 0;
  for (const file of ztoc.files()) {
    const entry = readEntry(file.fields);
    if (entry.type === 'chunk') throw new LayerFault('its index has a file of type chunk');
    if (entry.type !== 'reg' || entry.size === 0) {
      add(entry);
      continue;
    }
    if (file.offset < end || file.offset + file.size > ztoc.tarSize) {
      throw new LayerFault(
        `entry ${quote(entry.path)}: its content is not behind that of the file before it, or leaves the tar`,
      );
    }
    end = file.offset + file.size;
    addChunks(entry, file, places, add);
  }
}

function addChunks(entry: Entry, { offset, size }: ZtocFile, places: Places, add: (entry: Entry) => void): void {
  for (let at = 0; at < size; at += PLAIN_CHUNK_BYTES) {
    const chunkSize = Math.min(PLAIN_CHUNK_BYTES, size - at);
    const type = at === 0 ? 'reg' : 'chunk';
    add({ ...entry, type, chunkOffset: at, chunkSize, ...places.locate(offset + at) });
  }
}
