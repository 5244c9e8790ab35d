// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * One way to decode members: the parts of a blob that can be decoded each by itself, such as gzip members. All decoders
 * of one codec yield the same bytes, and the same errors.
 */
export interface Decoder {
  /** Whether `decode` may write to the mapping of a file: only native code can stand the SIGBUS of a full disk. */
  readonly isGuarded: boolean;

  /**
   * Decodes the members of `input` into `output`, until the input ends or the output is full. Returns the bytes written.
   * Throws CRFS_BAD_LAYER for data that is no member or breaks its checksum, and CRFS_NO_SPACE where `output` maps a file
   * that cannot take the bytes.
   */
  decode(input: Uint8Array, output: Uint8Array): number;

  /** Begins to decode, piece by piece, a member that is too large for memory. */
  begin(): Decoding;
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
