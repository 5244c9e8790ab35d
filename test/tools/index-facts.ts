// SPDX-License-Identifier: GPL-3.0-or-later

/** What tests alone want to know of an index. */

import type { IndexReader, PathEntry } from '../../src/main/index/reader.js';
import { addon } from '../../src/native/addon.js';

const { index: HEADER, table: TABLE } = addon.layout;

/** Every path below a directory, the root if none is given, each directory before what it holds. */
export function* entriesOf(index: IndexReader, directory = 0): Generator<PathEntry> {
  for (const entry of index.children(directory)) {
    yield entry;
    if (index.isDirectory(entry.inode)) yield* entriesOf(index, entry.inode);
  }
}

/** Numbers of its header that only the plugin goes by. */
export function headerOf(index: Buffer): {
  /** In hex. */
  readonly key: string;
  readonly dirents: number;
  readonly inoBase: bigint;
  readonly blobUsed: number;
} {
  return {
    key: index.toString('hex', HEADER.key, HEADER.key + 32),
    dirents: Number(index.readBigUInt64LE(HEADER.dirents + TABLE.count)),
    inoBase: index.readBigUInt64LE(HEADER.inoBase),
    blobUsed: Number(index.readBigUInt64LE(HEADER.blobUsed)),
  };
}
