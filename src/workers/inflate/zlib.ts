// SPDX-License-Identifier: GPL-3.0-or-later

import { gunzipSync } from 'node:zlib';
import { CrfsError } from '../../main/errors/error.js';
import type { Engine } from './engine.js';
import { pako } from './pako.js';

/** The zlib that Node carries. */
export const zlib: Engine = {
  inflate(input, output) {
    try {
      const content = gunzipSync(input, { maxOutputLength: output.length, chunkSize: Math.max(64, output.length) });
      output.set(content);
      return content.length;
    } catch (error) {
      // zlib's one-shot call cannot stop in the middle of a member
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return pako.inflate(input, output);
      throw new CrfsError('CRFS_BAD_LAYER', 'a gzip member does not inflate: corrupt data or checksum', {
        cause: error,
      });
    }
  },
};
