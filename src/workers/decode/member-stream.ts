// SPDX-License-Identifier: GPL-3.0-or-later

import type { Decoding } from './decoder.js';

const NOTHING = new Uint8Array();

/** Bytes of a member. */
interface Wanted {
  readonly start: number;
  readonly end: number;
}

/** A member that is decoded from its front on, in pieces, as far as somebody wants it, and further when somebody else does. */
export class MemberStream {
  readonly #decoding: Decoding;
  /** Of the next byte of the blob that goes in. */
  #next: number;
  #position = 0;

  /** `offset`: where in the blob it begins. */
  constructor(decoding: Decoding, offset: number) {
    this.#decoding = decoding;
    this.#next = offset;
  }

  /** Bytes that were decoded of it. */
  get position(): number {
    return this.#position;
  }

  /**
   * What is wanted of it, which does not begin before `position`, in pieces that lie in `room`. `read`: some bytes of the blob from an offset on, valid
   * until it is called again; it throws where there are none. Throws CRFS_BAD_LAYER, and what `read` does.
   */
  *content({ start, end }: Wanted, room: Uint8Array, read: (offset: number) => Uint8Array): Generator<Uint8Array> {
    let input: Uint8Array = NOTHING; // what went in before may not have come out
    for (let isFull = true; this.#position < end; ) {
      if (!isFull && input.length === 0) input = read(this.#next);
      const piece = room.subarray(0, (this.#position < start ? start : end) - this.#position);
      const isWanted = this.#position >= start;
      const [used, made] = this.#decoding.step(input, piece);
      input = input.subarray(used);
      this.#next += used;
      this.#position += made;
      isFull = made === piece.length; // more may come out than went in
      if (isWanted && made > 0) yield piece.subarray(0, made);
    }
  }

  close(): void {
    this.#decoding.close();
  }
}
