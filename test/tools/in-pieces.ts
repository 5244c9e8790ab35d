// SPDX-License-Identifier: GPL-3.0-or-later

import type { Decoder } from '../../src/workers/decode/decoder.js';

/** All that a decoder makes of `input`, handed to it `piece` bytes at a time, with room for `room` bytes each time. */
export function inPieces(decoder: Decoder, input: Buffer, piece: number, room: number): Buffer {
  const decoding = decoder.begin();
  const output = Buffer.alloc(room);
  const found: Buffer[] = [];
  try {
    for (let at = 0; at < input.length; at += piece) {
      let rest: Uint8Array = input.subarray(at, at + piece);
      for (let isFull = true; isFull || rest.length > 0; ) {
        const [used, made] = decoding.step(rest, output);
        found.push(Buffer.from(output.subarray(0, made)));
        rest = rest.subarray(used);
        isFull = made === room;
      }
    }
  } finally {
    decoding.close();
  }
  return Buffer.concat(found);
}
