// SPDX-License-Identifier: GPL-3.0-or-later

import type { EngineName } from '../engine-names.js';
import { libdeflate } from './libdeflate.js';
import { pako } from './pako.js';
import { zlib } from './zlib.js';

/** One way to inflate gzip members. All of them yield the same bytes, and the same errors. */
export interface Engine {
  /**
   * Inflates the gzip members of `input` into `output`, until the input ends or the output is full.
   * Returns the bytes written. Throws CRFS_BAD_LAYER for data that is no gzip member or breaks its checksum, and
   * CRFS_NO_SPACE where `output` maps a file that could not take the bytes.
   */
  inflate(input: Uint8Array, output: Uint8Array): number;
}

export const engines: Readonly<Record<EngineName, Engine>> = { libdeflate, zlib, pako };
