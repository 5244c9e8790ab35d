// SPDX-License-Identifier: GPL-3.0-or-later

/** Contents of files, always the same bytes. */

import { createCipheriv } from 'node:crypto';

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

let made: Buffer = Buffer.alloc(0);
let lines = 0;

/** Lines of text: compressible, but not to nothing. */
export function text(length: number): Buffer {
  while (made.length < length) {
    const next = Array.from({ length: 10_000 }, () => {
      const line = lines++;
      return `${line} the quick brown fox ${line * line} jumps over the lazy dog\n`;
    });
    made = Buffer.concat([made, Buffer.from(next.join(''))]);
  }
  return Buffer.from(made.subarray(0, length));
}
