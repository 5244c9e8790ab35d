// SPDX-License-Identifier: GPL-3.0-or-later

/// <reference lib="es2024.arraybuffer" />

export type Cells = Float64Array | Uint32Array | Uint16Array | Uint8Array;

export interface CellsConstructor<A extends Cells> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): A;
}

/** Columns of at most so many bytes are ordinary memory: what follows costs small layers more than it saves. */
const ORDINARY_BYTES = 1 << 16;
const LEAST_BYTES = 1 << 10;
/** Larger ones: memory is committed in steps of so many bytes. */
const STEP_BYTES = 1 << 16;
/** Address space for so many bytes is reserved at first, and then for so many times more. */
const FIRST_BYTES = 1 << 20;
const MORE_TIMES = 8;

/**
 * One field of very many records, as a typed array that grows, mostly in place: address space is reserved ahead, memory
 * is committed as it fills, and given back at once when it is of no use any more, which no garbage collector promises.
 */
export class Column<A extends Cells> {
  /** The cells, zero until written; its length is the capacity. Another array after a reserve(). */
  at: A;
  readonly #cells: CellsConstructor<A>;
  readonly #limitBytes: number;
  #buffer: ArrayBuffer;

  /** A column of at most `limit` cells. */
  constructor(cells: CellsConstructor<A>, limit: number) {
    this.#cells = cells;
    this.#limitBytes = limit * cells.BYTES_PER_ELEMENT;
    this.#buffer = new ArrayBuffer(0);
    this.at = new cells(this.#buffer);
  }

  /** Makes room for `count` cells, which the caller keeps within the limit. */
  reserve(count: number): void {
    if (count <= this.at.length) return;
    const bytes = count * this.#cells.BYTES_PER_ELEMENT;
    const roomy =
      bytes <= ORDINARY_BYTES
        ? Math.max(LEAST_BYTES, 2 ** Math.ceil(Math.log2(bytes)))
        : Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
    this.#grow(Math.min(roomy, this.#limitBytes));
  }

  #grow(bytes: number): void {
    if (this.#buffer.resizable && bytes <= this.#buffer.maxByteLength) this.#buffer.resize(bytes);
    else if (bytes <= ORDINARY_BYTES) this.#move(new ArrayBuffer(bytes));
    else {
      const most = Math.max(bytes, FIRST_BYTES, this.#buffer.maxByteLength * MORE_TIMES);
      this.#move(new ArrayBuffer(bytes, { maxByteLength: Math.min(most, this.#limitBytes) }));
    }
  }

  #move(buffer: ArrayBuffer): void {
    const cells = new this.#cells(buffer);
    cells.set(this.at);
    this.release();
    this.#buffer = buffer;
    this.at = cells;
  }

  /** Bytes of memory that it takes. */
  get memory(): number {
    return this.#buffer.byteLength;
  }

  /** Gives all memory back; the column is of no use from then on. */
  release(): void {
    if (this.#buffer.resizable) this.#buffer.resize(0);
    this.#buffer = new ArrayBuffer(0);
    this.at = new this.#cells(this.#buffer);
  }
}
