// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../../main/errors/error.js';
import { addon } from '../../native/addon.js';
import { blobCut, type Decoder } from './decoder.js';
import { badMember, Gunzip, gunzip } from './gunzip.js';

const TOO_SMALL = -1;
const NO_SPACE = -3;
const CUT = -4;

/** libdeflate, through the addon: the fastest, straight into the output. */
export const libdeflate: Decoder = {
  decode(input, output) {
    const written = addon.inflate(input, output);
    if (written >= 0) return written;
    if (written === TOO_SMALL) return gunzip.decode(input, output); // libdeflate cannot stop in the middle of a member
    throw badMember();
  },
  decodeFile(fd, offset, length, mapping) {
    const written = addon.inflateFile(fd, offset, length, mapping);
    if (written >= 0) return written;
    if (written === NO_SPACE) throw new CrfsError('CRFS_NO_SPACE', 'no space left for the content of a file');
    throw written === CUT ? blobCut() : badMember();
  },
  begin: () => new Gunzip(),
};
