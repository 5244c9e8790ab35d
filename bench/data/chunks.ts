// SPDX-License-Identifier: GPL-3.0-or-later

import { readToc } from '../../test/tools/read-layer.js';

/** A chunk of a file. */
export interface FileChunk {
  /** Where it begins in the file. */
  readonly at: number;
  /** Where it lies in the blob: [offset, end). */
  readonly offset: number;
  readonly end: number;
}

/** The chunks of the file `name` of a layer, each of which is a member of its own. */
export function chunksOf(path: string, name: string): FileChunk[] {
  const { entries, tocOffset } = readToc(path);
  const starts = [...new Set(entries.flatMap(({ offset }) => offset ?? [])), tocOffset].sort((a, b) => a - b);
  const ends = new Map(starts.slice(0, -1).map((offset, n) => [offset, starts[n + 1] ?? tocOffset]));
  return entries
    .filter((entry) => entry.name === name)
    .map(({ chunkOffset = 0, offset = 0 }) => ({ at: chunkOffset, offset, end: ends.get(offset) ?? tocOffset }));
}
