// SPDX-License-Identifier: GPL-3.0-or-later

import { readSync } from 'node:fs';
import { CrfsError } from '../../main/errors/error.js';

const PIECE = 1 << 20;

let buffer: Buffer | undefined;

/** The first `size` bytes of a file, in pieces that are valid until the next one, of any file. */
export function* fileContent(fd: number, size: number): Generator<Buffer> {
  buffer ??= Buffer.allocUnsafeSlow(PIECE);
  for (let at = 0; at < size; ) {
    const read = readSync(fd, buffer, 0, Math.min(PIECE, size - at), at);
    if (read === 0) throw new CrfsError('CRFS_INTERNAL', 'a file that was being filled is too short');
    yield buffer.subarray(0, read);
    at += read;
  }
}
