// SPDX-License-Identifier: GPL-3.0-or-later

import { gunzipSync } from 'node:zlib';
import type { Decoder } from './decoder.js';
import { Gunzip, gunzip } from './gunzip.js';

/** The zlib that Node carries. */
export const zlib: Decoder = {
  isGuarded: false,
  decode(input, output) {
    try {
      const content = gunzipSync(input, { maxOutputLength: output.length, chunkSize: Math.max(64, output.length) });
      output.set(content);
      return content.length;
    } catch {
      // its one-shot call cannot stop where the output is full; the other one tells what is wrong, if anything is
      return gunzip.decode(input, output);
    }
  },
  begin: () => new Gunzip(),
};
