// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';
import { addon, type Decoder as NativeDecoder } from '../../native/addon.js';
import type { Decoder, Decoding } from './decoder.js';

/** libzstd, through the addon. A frame may take a window of up to 128 MiB of memory, as far as the frame is that long. */
export const libzstd: Decoder = {
  decode(input, output) {
    const decoding = new Unzstd();
    try {
      const [, made] = decoding.step(input, output);
      return made;
    } finally {
      decoding.close();
    }
  },
  begin: () => new Unzstd(),
};

/** The state of libzstd takes longer to make than most chunks take to decode: one that has ended a frame goes on with any other. */
let idle: NativeDecoder | undefined;

class Unzstd implements Decoding {
  readonly #decoder: NativeDecoder = idle ?? new addon.Decoder('zstd');
  #isWhole = false;

  constructor() {
    idle = undefined;
  }

  step(input: Uint8Array, output: Uint8Array): [used: number, made: number] {
    this.#isWhole = false; // should it throw
    try {
      const [used, made, whole] = this.#decoder.decodeNow(input, output);
      this.#isWhole = whole;
      return [used, made];
    } catch (error) {
      const { message } = error as Error;
      throw new CrfsError('CRFS_BAD_LAYER', `a zstd frame cannot be decoded: ${message}`, { cause: error });
    }
  }

  close(): void {
    if (this.#isWhole && idle === undefined) idle = this.#decoder;
    else this.#decoder.close();
  }
}
