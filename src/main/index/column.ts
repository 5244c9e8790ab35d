// SPDX-License-Identifier: GPL-3.0-or-later

/// <reference lib="es2024.arraybuffer" />

export type Cells = Float64Array | Uint32Array | Uint16Array | Uint8Array;

export interface CellsConstructor<A extends Cells> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): A;
}

const GROWTH_BYTES = 1 << 20;

/**
 * One field of very many records, as a typed array that grows in place: address space is reserved at once, memory is
 * committed as it fills, and given back by release() at once, which no garbage collector promises.
 */
export class Column<A extends Cells> {
  /** The cells, zero until written; its length is the capacity. */
  readonly at: A;
  readonly #buffer: ArrayBuffer;
  readonly #cellBytes: number;

  /** A column of at most `limit` cells. */
  constructor(cells: CellsConstructor<A>, limit: number) {
    this.#cellBytes = cells.BYTES_PER_ELEMENT;
    this.#buffer = new ArrayBuffer(0, { maxByteLength: limit * this.#cellBytes });
    this.at = new cells(this.#buffer);
  }

  /** Makes room for `count` cells, which the caller keeps within the limit. */
  reserve(count: number): void {
    if (count > this.at.length) {
      const bytes = Math.ceil((count * this.#cellBytes) / GROWTH_BYTES) * GROWTH_BYTES;
      this.#buffer.resize(Math.min(bytes, this.#buffer.maxByteLength));
    }
  }

  /** Gives all memory back; the column is of no use from then on. */
  release(): void {
    this.#buffer.resize(0);
  }
}
