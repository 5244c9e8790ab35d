// SPDX-License-Identifier: GPL-3.0-or-later

import { fchmodSync, openSync, writeSync } from 'node:fs';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';

const BUFFER_BYTES = 1 << 20;

/** Fills record `i` of a table, all zero before, at byte `at` of the view. */
export type Fill = (view: DataView, at: number, i: number) => void;

/** A file that is written once, from tables at places that are known beforehand. */
export class Output {
  readonly fd: number;
  readonly #path: string;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);

  /** Creates the file, for its owner alone. The caller closes `fd`. */
  constructor(path: string) {
    this.#path = path;
    this.fd = this.#checked(() => openSync(path, 'wx+', 0o600));
  }

  records(position: number, recordBytes: number, count: number, fill: Fill): void {
    const room = Math.floor(BUFFER_BYTES / recordBytes);
    for (let first = 0; first < count; first += room) {
      const records = Math.min(room, count - first);
      this.#buffer.fill(0, 0, records * recordBytes);
      for (let i = 0; i < records; i++) {
        fill(this.#view, i * recordBytes, first + i);
      }
      this.bytes(position + first * recordBytes, this.#buffer, records * recordBytes);
    }
  }

  /** Writes the first `length` bytes. */
  bytes(position: number, bytes: Uint8Array, length: number): void {
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, BUFFER_BYTES);
      done += this.#checked(() => writeSync(this.fd, bytes, done, part, position + done));
    }
  }

  /** Nobody shall write to the file from now on. */
  seal(): void {
    this.#checked(() => fchmodSync(this.fd, 0o400));
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
