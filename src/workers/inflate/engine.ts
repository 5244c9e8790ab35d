// SPDX-License-Identifier: GPL-3.0-or-later

import type { EngineName } from '../engine-names.js';
import { libdeflate } from './libdeflate.js';
import { pako } from './pako.js';
import { zlib } from './zlib.js';

/** One way to inflate gzip members. All of them yield the same bytes, and the same errors. */
export interface Engine {
  /**
   * Inflates the gzip members of `input` into `output`, memory, until the input ends or the output is full.
   * Returns the bytes written. Throws CRFS_BAD_LAYER for data that is no gzip member or breaks its checksum.
   */
  inflate(input: Uint8Array, output: Uint8Array): number;

  /**
   * The same into a mapping of a file. Returns undefined where the members do not fit: it cannot stop in the middle of
   * one. Throws CRFS_NO_SPACE where the file cannot take the bytes: so only native code that is guarded against SIGBUS
   * may write to a mapping, and engines without such code leave this out.
   */
  readonly inflateMapped?: (input: Uint8Array, mapping: Uint8Array) => number | undefined;
}

export const engines: Readonly<Record<EngineName, Engine>> = { libdeflate, zlib, pako };
