// SPDX-License-Identifier: GPL-3.0-or-later

/** What the converter and its workers say to each other. Buffers are transferred, not copied. */

import type { EngineName } from '../engine-names.js';

/** What members are made by: gzip by the engines that also inflate, zstd by libzstd alone. */
export type Compressor = EngineName | 'libzstd';

export interface DeflateTask {
  readonly engine: Compressor;
  /** 1 (fast) to 9 (small), with libzstd to 19. */
  readonly level: number;
  /** Members to be, one after the other. */
  readonly input: Uint8Array;
  /** Where each member ends in `input`. */
  readonly memberEnds: Uint32Array;
  /** Parts of `input` whose digests are wanted: start and end of each. */
  readonly chunks: Uint32Array;
}

export interface DeflateResult {
  /** The buffer of the task, back for the next one. */
  readonly input: Uint8Array;
  /** Gzip members or zstd frames, one after the other. */
  readonly output: Uint8Array;
  /** Where each member ends in `output`. */
  readonly memberEnds: Uint32Array;
  /** SHA-256 of each chunk, 32 bytes each. */
  readonly digests: Uint8Array;
}
