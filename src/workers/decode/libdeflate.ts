// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';
import type { Decoder } from './decoder.js';
import { badMember, Gunzip, gunzip, noSpace } from './gunzip.js';

const TOO_SMALL = -1;
const NO_SPACE = -3;

/** libdeflate, through the addon: the fastest, straight into the output. */
export const libdeflate: Decoder = {
  isGuarded: true,
  decode(input, output) {
    const written = addon.inflate(input, output);
    if (written >= 0) return written;
    if (written === TOO_SMALL) return gunzip.decode(input, output); // libdeflate cannot stop in the middle of a member
    throw written === NO_SPACE ? noSpace() : badMember();
  },
  begin: () => new Gunzip(),
};
