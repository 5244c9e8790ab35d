// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';
import type { StreamSource } from './source.js';

/** Reads a range of a source into one buffer. Rejects with CRFS_BAD_LAYER for more bytes than the blob has, and as the source does. */
export async function collect(
  source: Pick<StreamSource, 'name' | 'size' | 'stream'>,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (!(length >= 0 && length <= source.size))
    throw new CrfsError('CRFS_BAD_LAYER', `${source.name} has no ${length} bytes`);
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const chunk of source.stream(offset, length)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
