// SPDX-License-Identifier: GPL-3.0-or-later

import { readInto } from '../blob/read-into.js';
import type { BlobSource } from '../blob/source.js';

/** How far a layer was read that has no TOC, and is read as a whole for that. In memory that threads share. */
export class FirstRead {
  readonly shared: SharedArrayBuffer;
  /** Whether it has begun, and bytes of the blob. */
  readonly #state: BigInt64Array;

  constructor(shared = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)) {
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

  /** The blob, of which is noted how far it was read. */
  watch(blob: BlobSource): BlobSource {
    const reached = (end: number): void => void Atomics.store(this.#state, 1, BigInt(end));
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
