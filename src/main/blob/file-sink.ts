// SPDX-License-Identifier: GPL-3.0-or-later

import type { FileHandle } from 'node:fs/promises';
import type { BlobSink } from './sink.js';

/** A sink that writes to a file, from its beginning. Rejects as writeFully does. */
export function fileSink(file: FileHandle): BlobSink {
  let position = 0;
  return {
    async write(bytes) {
      await writeFully(file, bytes, position);
      position += bytes.length;
    },
  };
}

/** Writes all of `bytes` at byte `position`, however many calls that takes. Rejects as the system does, ENOSPC for a full disk. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
