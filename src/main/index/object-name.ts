// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';

/** Stands for zeros in place of their digest. No content has it. */
const ZEROS = Buffer.alloc(32);

export interface NamedChunk {
  /** Bytes. */
  readonly size: number;
  /** sha256 of its content; undefined: it is zeros. */
  readonly digest: Uint8Array | undefined;
}

/** What names the object of a file of such chunks, in hex, unless it is a single one that holds something: that has its own digest as a name. */
export function digestOfChunks(chunks: Iterable<NamedChunk>): string {
  const hash = createHash('sha256').update('crfs-chunks\0');
  const length = Buffer.alloc(8);
  for (const { size, digest } of chunks) {
    length.writeBigUInt64LE(BigInt(size));
    hash.update(length).update(digest ?? ZEROS);
  }
  return hash.digest('hex');
}

/** The name of a regular file's object, by its key in hex: two namespaces, so that no content can pass for what is not named by its own digest. */
export function objectName(key: string, isDigest: boolean): string {
  return isDigest ? key : `${key}-named`;
}
