// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';
import type { Restart } from '../../main/formats/points.js';
import { addon, type Decoder as NativeDecoder } from '../../native/addon.js';
import type { Decoder, Decoding } from './decoder.js';

/** zlib, through the addon: not the fastest, but it can begin, stop and go on anywhere, in memory that does not grow. */
export const gunzip: Decoder = {
  decode(input, output, restart) {
    const decoding = new Gunzip(restart);
    try {
      const [, made] = decoding.step(input, output);
      return made;
    } finally {
      decoding.close();
    }
  },
  begin: (restart) => new Gunzip(restart),
};

export class Gunzip implements Decoding {
  readonly #decoder: NativeDecoder;

  constructor(restart?: Restart) {
    this.#decoder = restart ? new addon.Decoder('restart', restart.bit, restart.window) : new addon.Decoder('gzip');
  }

  step(input: Uint8Array, output: Uint8Array): [used: number, made: number] {
    try {
      const [used, made] = this.#decoder.decodeNow(input, output);
      return [used, made];
    } catch (error) {
      throw badMember(error);
    }
  }

  close(): void {
    this.#decoder.close();
  }
}

export function badMember(cause?: unknown): CrfsError {
  return new CrfsError('CRFS_BAD_LAYER', 'a gzip member does not inflate: corrupt data or checksum', { cause });
}
