// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';
import type { Restart } from '../../main/formats/points.js';

/**
 * One way to decode members: the parts of a blob that can be decoded each by itself, gzip members or zstd frames. All decoders
 * of one codec yield the same bytes, and the same errors.
 */
export interface Decoder {
  /**
   * Decodes the members of `input` into `output`, until the input ends or the output is full. Returns the bytes written.
   * `restart`: where within a member the input begins, if the codec has restart points.
   * Throws CRFS_BAD_LAYER for data that is no member or breaks its checksum.
   */
  decode(input: Uint8Array, output: Uint8Array, restart?: Restart): number;

  /**
   * The same, from `length` bytes of a file into the mapping of another one, where there is a way to: only native code can
   * stand the SIGBUS of a full disk, or of a file that was cut short. Throws CRFS_NO_SPACE too.
   */
  decodeFile?(fd: number, offset: number, length: number, mapping: Uint8Array): number;

  /** Begins to decode, piece by piece, a member that is too large for memory. `restart`: as of `decode`. */
  begin(restart?: Restart): Decoding;
}

/** A member that is being decoded. */
export interface Decoding {
  /**
   * Decodes from the front of `input` into `output`, memory, until there is no input left, or no room: there may be more
   * to come out without further input then. Throws CRFS_BAD_LAYER.
   */
  step(input: Uint8Array, output: Uint8Array): [used: number, made: number];
  /** To be called at the end, wherever that is. */
  close(): void;
}

export function blobCut(): CrfsError {
  return new CrfsError('CRFS_BAD_LAYER', 'the blob has become shorter than its TOC says');
}
