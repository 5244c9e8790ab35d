// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The index of a layer without a TOC, as it goes from machine to machine. Numbers are little-endian:
 *
 *   +----------+ 0
 *   | header   |  40 bytes: "crfsidx1"; bytes of the blob; how that is compressed, 0: not, 1: in gzip, 2: in zstd; bytes of
 *   |          |  the TOC, compressed; how many points: each a u64
 *   +----------+ 40
 *   | TOC      |  gzip of JSON as eStargz has it, but that `offset` is a place in the tar, and there is no `innerOffset`
 *   +----------+
 *   | points   |  24 bytes each: offset in the blob, u64; in the tar, u64; bytes of the window as it stands here, u32; bytes
 *   |          |  that it inflates to, u16; the first bit of the byte, u8; zero, u8
 *   +----------+
 *   | windows  |  gzip members, one behind the other
 *   +----------+
 *
 * A point of zstd is where a frame begins, and has no window; a tar that is not compressed has no points.
 * What is in it says nothing of processors or of this program's own index: the reader makes that anew, by all of its rules.
 */

import { addon } from '../../../native/addon.js';
import type { Form } from '../decode.js';
import { LayerFault } from '../fault.js';
import type { Point } from '../points.js';

export const HEADER_BYTES = 40;
export const POINT_BYTES = 24;

/** How the blob is compressed, by number. */
const FORMS: readonly Form[] = ['none', 'gzip', 'zstd'];
const MAGIC = Buffer.from('crfsidx1');
const { windowLimit } = addon.layout.constants;
const WINDOW_BYTES_LIMIT = addon.deflateBound(windowLimit);

export interface Header {
  /** Bytes of the blob that it is of. */
  readonly blobSize: number;
  readonly form: Form;
  readonly tocBytes: number;
  readonly points: number;
}

/** A point without its window. */
export type PointRecord = Omit<Point, 'window'> & { readonly windowBytes: number };

export function encodeHeader({ blobSize, form, tocBytes, points }: Header): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes);
  for (const [n, value] of [blobSize, FORMS.indexOf(form), tocBytes, points].entries())
    bytes.writeBigUInt64LE(BigInt(value), 8 + n * 8);
  return bytes;
}

/** Throws LayerFault for what is no header of an index of `size` bytes. */
export function decodeHeader(bytes: Buffer, size: number): Header {
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) throw new LayerFault('is no index of version 1');
  const [blobSize, compression] = [numberAt(bytes, 8), numberAt(bytes, 16)];
  const form = FORMS[compression];
  if (form === undefined)
    throw new LayerFault(`the index is of a blob in compression ${compression}, which is not known`);
  const [tocBytes, points] = [numberAt(bytes, 24), numberAt(bytes, 32)];
  if (tocBytes > size || points > size || HEADER_BYTES + tocBytes + points * POINT_BYTES > size) {
    throw new LayerFault('the index is shorter than its header says');
  }
  if (form === 'none' && points > 0) throw new LayerFault('the index has points in a tar that is not compressed');
  return { blobSize, form, tocBytes, points };
}

export function encodePoint({ offset, outOffset, windowBytes, windowSize, bit }: PointRecord): Buffer {
  const bytes = Buffer.alloc(POINT_BYTES);
  bytes.writeBigUInt64LE(BigInt(offset));
  bytes.writeBigUInt64LE(BigInt(outOffset), 8);
  bytes.writeUInt32LE(windowBytes, 16);
  bytes.writeUInt16LE(windowSize, 20);
  bytes.writeUInt8(bit, 22);
  return bytes;
}

/** A point. Throws LayerFault for one that does not follow the one before, or that nothing can begin at. */
export function decodePoint(bytes: Buffer, before: PointRecord | undefined, { blobSize, form }: Header): PointRecord {
  const point = {
    offset: numberAt(bytes, 0),
    outOffset: numberAt(bytes, 8),
    windowBytes: bytes.readUInt32LE(16),
    windowSize: bytes.readUInt16LE(20),
    bit: bytes.readUInt8(22),
  };
  const follows = before === undefined || (point.offset > before.offset && point.outOffset > before.outOffset);
  if (!follows || point.offset >= blobSize) throw new LayerFault('points of the index do not follow each other');
  if (!canBe(point, form)) throw new LayerFault('the index has a point that can be none');
  return point;
}

function canBe({ bit, windowSize, windowBytes }: PointRecord, form: Form): boolean {
  if (form === 'zstd') return bit === 0 && windowSize === 0 && windowBytes === 0;
  return bit <= 7 && windowSize <= windowLimit && windowBytes <= WINDOW_BYTES_LIMIT;
}

function numberAt(bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at));
  if (!Number.isSafeInteger(value)) throw new LayerFault('the index has a number that is too large');
  return value;
}
