// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';
import { addon, type Decoder as NativeDecoder } from '../../native/addon.js';
import type { Decoder, Decoding } from './decoder.js';

/** zlib, through the addon: not the fastest, but it can stop and go on anywhere, in memory that does not grow. */
export const gunzip: Decoder = {
  isGuarded: true,
  decode(input, output) {
    const decoding = new Gunzip();
    try {
      const [, made] = decoding.step(input, output);
      return made;
    } finally {
      decoding.close();
    }
  },
  begin: () => new Gunzip(),
};

export class Gunzip implements Decoding {
  readonly #decoder: NativeDecoder = new addon.Decoder('gzip');

  step(input: Uint8Array, output: Uint8Array): [used: number, made: number] {
    const result = this.#decode(input, output);
    if (result === null) throw noSpace();
    const [used, made] = result;
    return [used, made];
  }

  close(): void {
    this.#decoder.close();
  }

  #decode(input: Uint8Array, output: Uint8Array): ReturnType<NativeDecoder['decodeNow']> {
    try {
      return this.#decoder.decodeNow(input, output);
    } catch (error) {
      throw badMember(error);
    }
  }
}

export function badMember(cause?: unknown): CrfsError {
  return new CrfsError('CRFS_BAD_LAYER', 'a gzip member does not inflate: corrupt data or checksum', { cause });
}

/** For a mapping of a file that could not take the bytes. */
export function noSpace(): CrfsError {
  return new CrfsError('CRFS_NO_SPACE', 'no space left for the content of a file');
}
