// SPDX-License-Identifier: GPL-3.0-or-later

import { readInto } from '../blob/read-into.js';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';

const NUMBERS = 3;

/** How far a layer was read that has no TOC, and is read as a whole for that. In memory that threads share. */
export class FirstRead {
  readonly shared: SharedArrayBuffer;
  /** Whether it has begun, bytes of the blob, and whether it is given up. */
  readonly #state: BigInt64Array;

  constructor(shared = new SharedArrayBuffer(NUMBERS * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#state = new BigInt64Array(shared);
  }

  /** Whether the layer is known to be one that is read so. */
  get hasBegun(): boolean {
    return Atomics.load(this.#state, 0) !== 0n;
  }

  /** Bytes of the blob. */
  get bytes(): number {
    return Number(Atomics.load(this.#state, 1));
  }

  begin(): void {
    Atomics.store(this.#state, 0, 1n);
  }

  /** Nobody waits for it any more: whoever reads the layer ends, wherever that is. */
  giveUp(): void {
    Atomics.store(this.#state, 2, 1n);
  }

  /** Throws where it is given up. */
  checkWanted(): void {
    if (Atomics.load(this.#state, 2) !== 0n) throw new CrfsError('CRFS_INTERNAL', 'nobody waits for it any more');
  }

  /** The blob, of which is noted how far it was read. */
  watch(blob: BlobSource): BlobSource {
    const reached = (end: number): void => {
      this.checkWanted();
      Atomics.store(this.#state, 1, BigInt(end));
    };
    return {
      name: blob.name,
      size: blob.size,
      read: async (offset, length) => {
        const bytes = await blob.read(offset, length);
        reached(offset + length);
        return bytes;
      },
      readInto: async (offset, room) => {
        await readInto(blob, offset, room);
        reached(offset + room.length);
      },
      close: async () => await blob.close(),
    };
  }
}
