// SPDX-License-Identifier: GPL-3.0-or-later

/** Contents of files, always the same bytes. */

import { createCipheriv } from 'node:crypto';

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

/** Lines of text: compressible, but not to nothing. */
export function text(length: number): Buffer {
  const lines: string[] = [];
  for (let size = 0, line = 0; size < length; line++) {
    const next = `${line} the quick brown fox ${line * line} jumps over the lazy dog\n`;
    lines.push(next);
    size += next.length;
  }
  return Buffer.from(lines.join('')).subarray(0, length);
}
