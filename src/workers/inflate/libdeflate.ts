// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';
import { addon } from '../../native/addon.js';
import type { Engine } from './engine.js';
import { pako } from './pako.js';

const TOO_SMALL = -1;
const NO_SPACE = -3;

/** libdeflate, through the addon: the fastest, straight into the output. */
export const libdeflate: Engine = {
  inflate: (input, output) => inflateMapped(input, output) ?? pako.inflate(input, output),
  inflateMapped,
};

function inflateMapped(input: Uint8Array, output: Uint8Array): number | undefined {
  const written = addon.inflate(input, output);
  if (written >= 0) return written;
  if (written === TOO_SMALL) return undefined;
  if (written === NO_SPACE) throw new CrfsError('CRFS_NO_SPACE', 'no space left for the content of a file');
  throw new CrfsError('CRFS_BAD_LAYER', 'a gzip member does not inflate: corrupt data or checksum');
}
