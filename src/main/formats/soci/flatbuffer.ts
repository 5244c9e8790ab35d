// SPDX-License-Identifier: GPL-3.0-or-later

/** Reads FlatBuffers that anybody may have written (FlatBuffers documentation, "Internals"). Numbers are little-endian. */

import { LayerFault } from '../fault.js';

const OFFSET_BYTES = 4;
/** Of a vtable, before the places of fields: its own length, and that of the table. */
const VTABLE_HEADER_BYTES = 4;

/** The bytes of one message; each counts for one part of it, so that parts which share bytes make no work out of nothing. */
class Bytes {
  readonly all: Buffer;
  #left: number;

  constructor(all: Buffer) {
    this.all = all;
    this.#left = all.length;
  }

  /** What an offset that stands at `at` leads to. */
  target(at: number): number {
    return at + this.all.readUInt32LE(at);
  }

  /** The bytes of `count` elements of a vector at `at`. Throws LayerFault where they are not all there, or more than there can be. */
  vector(at: number, elementBytes: number): { readonly start: number; readonly count: number } {
    const count = this.all.readUInt32LE(at);
    const start = at + OFFSET_BYTES;
    const length = count * elementBytes;
    if (start + length > this.all.length) throw new LayerFault('its index is cut short');
    this.spend(length);
    return { start, count };
  }

  spend(length: number): void {
    this.#left -= length;
    if (this.#left < 0) throw new LayerFault('parts of its index share their bytes');
  }
}

/** A table. Fields are named by their places in the schema; one that is not there is its default. Methods throw LayerFault, or RangeError for a place outside. */
export class Table {
  readonly #bytes: Bytes;
  readonly #at: number;
  readonly #vtable: number;
  readonly #fields: number;

  private constructor(bytes: Bytes, at: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#vtable = at - bytes.all.readInt32LE(at);
    this.#fields = (bytes.all.readUInt16LE(this.#vtable) - VTABLE_HEADER_BYTES) / 2;
    bytes.spend(OFFSET_BYTES);
  }

  static root(message: Buffer): Table {
    const bytes = new Bytes(message);
    return new Table(bytes, bytes.target(0));
  }

  byte(field: number, absent: number): number {
    const at = this.#place(field);
    return at === undefined ? absent : this.#bytes.all.readUInt8(at);
  }

  uint32(field: number): number {
    const at = this.#place(field);
    return at === undefined ? 0 : this.#bytes.all.readUInt32LE(at);
  }

  int64(field: number): number {
    const at = this.#place(field);
    const value = at === undefined ? 0 : Number(this.#bytes.all.readBigInt64LE(at));
    if (!Number.isSafeInteger(value)) throw new LayerFault('its index has a number that is too large');
    return value;
  }

  /** A string, or a vector of bytes: not copied; no bytes where there is none. */
  bytes(field: number): Buffer {
    const at = this.#place(field);
    if (at === undefined) return Buffer.alloc(0);
    const { start, count } = this.#bytes.vector(this.#bytes.target(at), 1);
    return this.#bytes.all.subarray(start, start + count);
  }

  /** Throws LayerFault where there is none. */
  table(field: number): Table {
    const at = this.#place(field);
    if (at === undefined) throw new LayerFault('a part of its index is missing');
    return new Table(this.#bytes, this.#bytes.target(at));
  }

  *tables(field: number): Generator<Table> {
    const at = this.#place(field);
    if (at === undefined) return;
    const { start, count } = this.#bytes.vector(this.#bytes.target(at), OFFSET_BYTES);
    for (let n = 0; n < count; n++) yield new Table(this.#bytes, this.#bytes.target(start + n * OFFSET_BYTES));
  }

  #place(field: number): number | undefined {
    if (field >= this.#fields) return undefined;
    const offset = this.#bytes.all.readUInt16LE(this.#vtable + VTABLE_HEADER_BYTES + 2 * field);
    return offset === 0 ? undefined : this.#at + offset;
  }
}
