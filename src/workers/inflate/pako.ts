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
import { CrfsError } from '../../main/errors/error.js';
import type { Engine } from './engine.js';

const GZIP_WINDOW = 15 + 16; // the largest window, and gzip's header and trailer

/** Inflates gzip members piece by piece, in bounded memory: input as it comes, output as there is room. */
export class Inflater {
  readonly #stream = new ZStream();

  constructor() {
    zlibInflateInit2(this.#stream, GZIP_WINDOW);
  }

  /** The input that the next calls of `fill` read. */
  feed(input: Uint8Array): void {
    this.#stream.input = input;
    this.#stream.next_in = 0;
    this.#stream.avail_in = input.length;
  }

  /** Fills `output` from the input fed. Returns the bytes written: fewer than there is room for once the input is used. */
  fill(output: Uint8Array): number {
    const stream = this.#stream;
    stream.output = output as Uint8Array<ArrayBuffer>;
    stream.next_out = 0;
    stream.avail_out = output.length;
    while (stream.avail_out > 0 && stream.avail_in > 0) {
      const status = zlibInflate(stream, Z_NO_FLUSH);
      if (status === Z_STREAM_END) zlibInflateReset(stream);
      else if (status === Z_BUF_ERROR) break;
      else if (status !== Z_OK) {
        throw new CrfsError('CRFS_BAD_LAYER', 'a gzip member does not inflate: corrupt data or checksum');
      }
    }
    return stream.next_out;
  }
}

/** pako, in JavaScript: needs no addon, and can stop anywhere. */
export const pako: Engine = {
  inflate(input, output) {
    const inflater = new Inflater();
    inflater.feed(input);
    return inflater.fill(output);
  },
};
