// SPDX-License-Identifier: GPL-3.0-or-later

/** Portable indexes taken apart, and put together as nobody would. */

import { gunzipSync, gzipSync } from 'node:zlib';
import {
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  type Header,
  POINT_BYTES,
} from '../../src/main/formats/portable/layout.js';

export interface Parts {
  readonly header: Header;
  readonly toc: string;
  readonly points: Buffer;
  readonly windows: Buffer;
}

/** Takes one apart. */
export function partsOf(portable: Buffer): Parts {
  const header = decodeHeader(portable, portable.length);
  const tocEnd = HEADER_BYTES + header.tocBytes;
  const pointsEnd = tocEnd + header.points * POINT_BYTES;
  return {
    header,
    toc: gunzipSync(portable.subarray(HEADER_BYTES, tocEnd)).toString(),
    points: Buffer.from(portable.subarray(tocEnd, pointsEnd)),
    windows: Buffer.from(portable.subarray(pointsEnd)),
  };
}

/** Puts one together, whose header says what there is. */
export function joined({
  header,
  toc,
  points,
  windows,
}: Omit<Parts, 'toc'> & { readonly toc: string | Buffer }): Buffer {
  const packed = gzipSync(toc, { level: 1 });
  const head = encodeHeader({ ...header, tocBytes: packed.length, points: points.length / POINT_BYTES });
  return Buffer.concat([head, packed, points, windows]);
}

/** With another number, of 8 bytes, at this place. */
export function withNumber(portable: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(portable);
  copy.writeBigUInt64LE(BigInt(value), at);
  return copy;
}

/** The points with one changed. */
export function withPoint(points: Buffer, number: number, change: (point: Buffer) => void): Buffer {
  const copy = Buffer.from(points);
  change(copy.subarray(number * POINT_BYTES));
  return copy;
}
