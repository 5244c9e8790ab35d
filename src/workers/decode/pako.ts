// SPDX-License-Identifier: GPL-3.0-or-later

import {
  Z_BUF_ERROR,
  Z_NO_FLUSH,
  Z_OK,
  Z_STREAM_END,
  ZStream,
  zlibInflate,
  zlibInflateInit2,
  zlibInflateReset,
} from 'pako';
import type { Decoder, Decoding } from './decoder.js';
import { badMember } from './gunzip.js';

const GZIP_WINDOW = 15 + 16; // the largest window, and gzip's header and trailer

/** pako, in JavaScript: the slowest, and nobody else's code, so that the others can be held against it. */
export const pako: Decoder = {
  decode: (input, output) => new Inflater().step(input, output)[1],
  begin: () => new Inflater(),
};

class Inflater implements Decoding {
  readonly #stream = new ZStream();

  constructor() {
    zlibInflateInit2(this.#stream, GZIP_WINDOW);
  }

  step(input: Uint8Array, output: Uint8Array): [used: number, made: number] {
    const stream = this.#stream;
    stream.input = input;
    stream.next_in = 0;
    stream.avail_in = input.length;
    stream.output = output as Uint8Array<ArrayBuffer>;
    stream.next_out = 0;
    stream.avail_out = output.length;
    while (stream.avail_out > 0) {
      const status = zlibInflate(stream, Z_NO_FLUSH);
      if (status === Z_STREAM_END) zlibInflateReset(stream);
      else if (status === Z_BUF_ERROR)
        break; // there is no input left
      else if (status !== Z_OK) throw badMember();
    }
    return [stream.next_in, stream.next_out];
  }

  close(): void {
    // there is nothing outside of JavaScript's memory
  }
}
