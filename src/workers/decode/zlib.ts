// SPDX-License-Identifier: GPL-3.0-or-later

import { gunzipSync } from 'node:zlib';
import type { Decoder } from './decoder.js';
import { badMember, Gunzip, gunzip } from './gunzip.js';

/** The zlib that Node carries. */
export const zlib: Decoder = {
  decode(input, output) {
    try {
      const content = gunzipSync(input, { maxOutputLength: output.length, chunkSize: Math.max(64, output.length) });
      output.set(content);
      return content.length;
    } catch (error) {
      // its one-shot call cannot stop in the middle of a member
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return gunzip.decode(input, output);
      throw badMember(error);
    }
  },
  begin: () => new Gunzip(),
};
