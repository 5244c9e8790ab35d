// SPDX-License-Identifier: GPL-3.0-or-later

import { fchmodSync, openSync, writeSync } from 'node:fs';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';

/**
 * Written at once, and at a multiple of itself: the page cache then keeps it in as large pages as the kernel has at
 * hand, which every mount maps, and unmaps, with the fewest faults.
 */
const BLOCK_BYTES = 1 << 20;
const LARGEST_RECORD_BYTES = 1 << 10;

/** Fills record `i` of a table, all zero before, at byte `at` of the view. */
type Fill = (view: DataView, at: number, i: number) => void;

/** A file that is written once, from front to back: tables, each at a place that was computed before. */
export class Output {
  readonly fd: number;
  readonly #path: string;
  /** The block that is being filled, and what of its last record lies behind it; zero from `#filled` on. */
  readonly #buffer = new Uint8Array(BLOCK_BYTES + LARGEST_RECORD_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #filled = 0;
  #written = 0;

  /** Creates the file, for its owner alone. The caller closes `fd`. */
  constructor(path: string) {
    this.#path = path;
    this.fd = this.#checked(() => openSync(path, 'wx+', 0o600));
  }

  /** Writes `count` records, of at most LARGEST_RECORD_BYTES each, from byte `position` of the file on. */
  records(position: number, recordBytes: number, count: number, fill: Fill): void {
    this.#skipTo(position);
    for (let i = 0; i < count; i++) {
      fill(this.#view, this.#filled, i);
      this.#took(recordBytes);
    }
  }

  /** Writes the first `length` bytes at byte `position` of the file. */
  bytes(position: number, bytes: Uint8Array, length: number): void {
    this.#skipTo(position);
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, BLOCK_BYTES - this.#filled);
      this.#buffer.set(bytes.subarray(done, done + part), this.#filled);
      this.#took(part);
      done += part;
    }
  }

  /** Writes what is left. Nobody shall write to the file from now on. */
  seal(): void {
    this.#write(this.#filled);
    this.#checked(() => fchmodSync(this.fd, 0o400));
  }

  /** Leaves zeros up to byte `position` of the file. */
  #skipTo(position: number): void {
    this.#took(position - this.#written - this.#filled);
  }

  /** So many more bytes of the buffer are filled. */
  #took(bytes: number): void {
    this.#filled += bytes;
    if (this.#filled >= BLOCK_BYTES) {
      this.#write(BLOCK_BYTES);
      this.#buffer.copyWithin(0, BLOCK_BYTES, this.#filled);
      this.#filled -= BLOCK_BYTES;
      this.#buffer.fill(0, this.#filled);
    }
  }

  /** Writes the first `length` bytes of the buffer. */
  #write(length: number): void {
    for (let done = 0; done < length; ) {
      done += this.#checked(() => writeSync(this.fd, this.#buffer, done, length - done, this.#written + done));
    }
    this.#written += length;
  }

  #checked<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const code = isNoSpace(error) ? 'CRFS_NO_SPACE' : 'CRFS_INTERNAL';
      throw new CrfsError(code, `${this.#path}: cannot be written: ${reasonOf(error)}`, { cause: error });
    }
  }
}
