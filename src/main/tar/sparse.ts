// SPDX-License-Identifier: GPL-3.0-or-later

/** Sparse files, in the four ways that GNU tar writes them: GNU tar manual, "Storing Sparse Files". */

import type { ByteReader } from '../blob/byte-reader.js';
import { LayerFault } from '../formats/fault.js';
import { BLOCK_SIZE, parseNumber } from './header.js';
import { type PaxRecord, parseDecimal } from './pax.js';

export interface Sparse {
  /** Bytes of the file, holes and all. */
  readonly size: number;
  /** Where data is; the rest is zeros. */
  readonly data: readonly Extent[];
}

/** Data at a place in the file, both in bytes. */
interface Extent {
  readonly offset: number;
  readonly length: number;
}

const EXTENT_LIMIT = 1_000_000;
/** Digits of a number in a map. */
const LINE_LIMIT = 20;
/** A tar of a kilobyte can claim a file of any size: no more than 1 TiB of holes is written out. */
const SIZE_LIMIT = 2 ** 40;
const NEWLINE = 0x0a;

/** Where GNU tar's header keeps the first extents, whether there are more, and the file's size. */
const HEADER_EXTENTS_AT = 386;
const HEADER_EXTENTS = 4;
const HEADER_MORE_AT = 482;
const HEADER_REAL_SIZE = [483, 12] as const;
/** The same for the blocks behind it: extents from their first byte on. */
const EXTENSION_EXTENTS = 21;
const EXTENSION_MORE_AT = 504;
/** An extent is two numbers. */
const NUMBER_LENGTH = 12;

/** The old GNU form: four extents in the header, more in blocks behind it, which are taken from `source`. */
export async function readOldMap(header: Uint8Array, source: ByteReader): Promise<Sparse> {
  const block = Buffer.from(header);
  const data = oldExtents(block, HEADER_EXTENTS_AT, HEADER_EXTENTS);
  let more = block[HEADER_MORE_AT] === 1;
  while (more) {
    const extension = Buffer.from(await source.exactly(BLOCK_SIZE));
    if (extension.length < BLOCK_SIZE || data.length > EXTENT_LIMIT)
      throw new LayerFault('a sparse file has no end of map');
    data.push(...oldExtents(extension, 0, EXTENSION_EXTENTS));
    more = extension[EXTENSION_MORE_AT] === 1;
  }
  return checked(parseNumber(block, HEADER_REAL_SIZE, 'size'), data);
}

/** The PAX forms 0.0 and 0.1, whose map is in the records; undefined if there is none. */
export function readPaxMap(records: readonly PaxRecord[]): Sparse | undefined {
  const size = records.find(([keyword]) => keyword === 'GNU.sparse.size')?.[1];
  if (!size) return undefined;
  const values = records.flatMap(([keyword, value]) => {
    if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') return [value];
    return keyword === 'GNU.sparse.map'
      ? value
          .toString('latin1')
          .split(',')
          .map((part) => Buffer.from(part))
      : [];
  });
  return checked(parseDecimal(size, 'size'), pairs(values.map((value) => parseDecimal(value, 'sparse map'))));
}

/** The PAX form 1.0: decimal lines before the data, which are taken from `source`. Resolves to the blocks taken too. */
export async function readDataMap(
  size: number,
  source: ByteReader,
): Promise<{ readonly map: Sparse; readonly taken: number }> {
  const values: number[] = [];
  let taken = 0;
  let line = '';
  for (let wanted = 1; values.length < wanted; ) {
    const block = Buffer.from(await source.exactly(BLOCK_SIZE));
    taken += BLOCK_SIZE;
    if (block.length < BLOCK_SIZE) throw new LayerFault('the tar ends within the map of a sparse file');
    for (const byte of block) {
      if (byte !== NEWLINE) {
        line += String.fromCharCode(byte);
        if (line.length > LINE_LIMIT) throw new LayerFault('the map of a sparse file is no list of numbers');
        continue;
      }
      values.push(parseDecimal(Buffer.from(line), 'sparse map'));
      line = '';
      wanted = 1 + 2 * (values[0] ?? 0);
      if (wanted > 2 * EXTENT_LIMIT) throw new LayerFault('a sparse file has too many holes');
      if (values.length === wanted) break;
    }
  }
  return { map: checked(size, pairs(values.slice(1))), taken };
}

/** Bytes that the data takes in the tar: every extent starts a block. */
export function storedSize(map: Sparse): number {
  return map.data.reduce((total, { length }) => total + length, 0);
}

const ZEROS = new Uint8Array(64 * 1024);

/** The file's content with its holes filled; `take` takes stored bytes, at least 1 and at most as many as it is asked. */
export async function* expand(map: Sparse, take: (limit: number) => Promise<Uint8Array>): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const { offset, length } of [...map.data, { offset: map.size, length: 0 }]) {
    for (; at < offset; at += Math.min(ZEROS.length, offset - at))
      yield ZEROS.subarray(0, Math.min(ZEROS.length, offset - at));
    for (const end = at + length; at < end; ) {
      const piece = await take(end - at);
      yield piece;
      at += piece.length;
    }
  }
}

/** The bytes [offset, offset + length) of the file, its holes filled; `read` reads what is stored of it. */
export async function readSparse(
  { data }: Sparse,
  offset: number,
  length: number,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const bytes = Buffer.alloc(length);
  let stored = 0;
  for (const extent of data) {
    const from = Math.max(extent.offset, offset);
    const end = Math.min(extent.offset + extent.length, offset + length);
    if (from < end) bytes.set(await read(stored + from - extent.offset, end - from), from - offset);
    stored += extent.length;
  }
  return bytes;
}

function oldExtents(block: Buffer, at: number, count: number): Extent[] {
  const extents: Extent[] = [];
  for (let index = 0; index < count; index++) {
    const start = at + index * 2 * NUMBER_LENGTH;
    if (block[start] === 0) break;
    const offset = parseNumber(block, [start, NUMBER_LENGTH], 'offset');
    extents.push({ offset, length: parseNumber(block, [start + NUMBER_LENGTH, NUMBER_LENGTH], 'length') });
  }
  return extents;
}

function pairs(values: readonly number[]): Extent[] {
  if (values.length % 2 !== 0) throw new LayerFault('the map of a sparse file has an offset without a length');
  return Array.from({ length: values.length / 2 }, (_, index) => ({
    offset: values[2 * index] ?? 0,
    length: values[2 * index + 1] ?? 0,
  }));
}

/** Extents must rise, stay within the file, and fill blocks, but for the last: GNU tar reads them block by block. */
function checked(size: number, data: readonly Extent[]): Sparse {
  if (size > SIZE_LIMIT) throw new LayerFault(`a sparse file of ${size} bytes, more than ${SIZE_LIMIT}`);
  let end = 0;
  const kept = data.filter(({ length }) => length > 0);
  for (const [index, { offset, length }] of kept.entries()) {
    if (offset < end || offset + length > size || (index < kept.length - 1 && length % BLOCK_SIZE !== 0)) {
      throw new LayerFault(`the map of a sparse file is wrong at offset ${offset}`);
    }
    end = offset + length;
  }
  return { size, data: kept };
}
