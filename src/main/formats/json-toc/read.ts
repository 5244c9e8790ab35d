// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import type { Entry } from '../entry.js';
import { readEntry } from './entry.js';
import { EntrySplitter } from './entry-splitter.js';

/** Hands every entry of a TOC's JSON text to `add`. Resolves to the sha256 of the text. Throws LayerFault. */
export async function readEntries(json: AsyncIterable<Uint8Array>, add: (entry: Entry) => void): Promise<Buffer> {
  const hash = createHash('sha256');
  const splitter = new EntrySplitter((value) => add(readEntry(value)));
  for await (const part of json) {
    hash.update(part);
    splitter.push(part);
  }
  splitter.end();
  return hash.digest();
}
