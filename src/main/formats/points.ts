// SPDX-License-Identifier: GPL-3.0-or-later

/** Where decoding a stream can begin; of gzip: csrc/shared/index.h, crfs_point. Offsets and sizes in bytes. */

import { addon, type FoundPoint } from '../../native/addon.js';
import { LayerFault } from './fault.js';

/** A point, and what is needed to begin there. */
export interface Restart {
  /** Of the first byte: 0 to 7. */
  readonly bit: number;
  /** What is decoded just before, up to 32 KiB; zeros where that is not needed. */
  readonly window: Uint8Array;
}

/** As one is kept. */
export interface Point {
  /** Of the byte in the blob that holds its first bit. */
  readonly offset: number;
  readonly bit: number;
  /** Of what is decoded from there on, in all that the blob decodes to. */
  readonly outOffset: number;
  readonly windowSize: number;
  /** The window as a gzip member; empty where there is none. */
  readonly window: Uint8Array;
}

/** Of a file in a layer without a TOC, at most: as eStargz has them, so that equal files of several chunks are one object. */
export const PLAIN_CHUNK_BYTES = 4 << 20;

const WINDOW_LEVEL = 6;
const NO_WINDOW = new Uint8Array();
/** Of a point, beside its window. */
const POINT_BYTES = 200;
const { windowLimit } = addon.layout.constants;

/** Where in a blob things are of what it decodes to. */
export interface Places {
  /** Where a byte of that is to be decoded from: an offset in the blob, and how much is decoded before it from there on. */
  locate(outOffset: number): { readonly offset: number; readonly innerOffset: number };
  /** Where in the blob all is that the `decoded` bytes from `offset` on take, if `locate` has named that: up to there, or Infinity, its end. */
  endOf(offset: number, decoded: number): number;
}

/** Of a blob that is not compressed. */
export const AS_IT_IS: Places = {
  locate: (outOffset) => ({ offset: outOffset, innerOffset: 0 }),
  endOf: (offset, decoded) => offset + decoded,
};

/** The points of a blob, in its order. */
export class Points implements Places {
  readonly list: Point[] = [];
  /** Bytes of all windows, compressed. */
  windowBytes = 0;
  /** Bytes of memory that they may take. */
  limit = Number.POSITIVE_INFINITY;
  readonly #room = Buffer.allocUnsafeSlow(addon.deflateBound(windowLimit));
  /** The first of those before it have their windows. */
  #closed = 0;

  /** Adds the next one as it is found; where it has a window, `close` is told of that. Throws LayerFault as `take` does. */
  add({ offset, bit, outOffset, windowSize }: FoundPoint): void {
    this.take({ offset, bit, outOffset, windowSize }, NO_WINDOW);
  }

  /** Takes the window of the first of those added that have one, and do not have it yet. Throws LayerFault as `take` does. */
  close(window: Uint8Array): void {
    while (this.list[this.#closed]?.windowSize === 0) this.#closed++;
    const length = addon.deflate(window, this.#room, WINDOW_LEVEL);
    const packed = Uint8Array.prototype.slice.call(this.#room, 0, length);
    this.list[this.#closed] = { ...(this.list[this.#closed] as Point), window: packed };
    this.#closed++;
    this.#count(packed);
  }

  /** Adds one as it is kept, with its window as a gzip member. Throws LayerFault where that takes more memory than it may. */
  take({ offset, bit, outOffset, windowSize }: Omit<Point, 'window'>, window: Uint8Array): void {
    this.list.push({ offset, bit, outOffset, windowSize, window });
    this.#count(window);
  }

  #count(window: Uint8Array): void {
    this.windowBytes += window.length;
    if (this.memory > this.limit)
      throw new LayerFault('its restart points take more memory than it may: see index-memory');
  }

  /** The last point at or before a byte of what the blob decodes to. Throws LayerFault if there is none. */
  before(outOffset: number): Point {
    const point = this.list[lowest(this.list, (one) => one.outOffset > outOffset) - 1];
    if (point === undefined) throw new LayerFault(`nothing can be decoded from before byte ${outOffset} on`);
    return point;
  }

  /** From the last point before it on. */
  locate(outOffset: number): { readonly offset: number; readonly innerOffset: number } {
    const point = this.before(outOffset);
    return { offset: point.offset, innerOffset: outOffset - point.outOffset };
  }

  /** The next point, or Infinity. */
  endOf(offset: number, decoded: number): number {
    const place = lowest(this.list, (point) => point.offset >= offset);
    const outEnd = (this.list[place]?.outOffset ?? 0) + decoded;
    const behind = this.list[lowest(this.list, (point) => point.outOffset >= outEnd)];
    if (behind === undefined) return Number.POSITIVE_INFINITY;
    return behind.bit > 0 ? behind.offset + 1 : behind.offset; // its byte may hold the last bits before it
  }

  get memory(): number {
    return this.windowBytes + this.list.length * POINT_BYTES;
  }
}

/** The number of the first of the points of which something holds; it holds of all behind that. */
function lowest(points: readonly Point[], holds: (point: Point) => boolean): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(points[middle] as Point)) high = middle;
    else low = middle + 1;
  }
  return low;
}
