// SPDX-License-Identifier: GPL-3.0-or-later

/** What layers of all formats are made of: entries, in the order in which the layer lists them. Sizes and offsets are in bytes. */

import { addon } from '../../native/addon.js';
import { quote } from './fault.js';
import { nameLength } from './name-bytes.js';

export const ENTRY_TYPES = ['dir', 'reg', 'symlink', 'hardlink', 'char', 'block', 'fifo', 'chunk'] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

const { nameLimit, pathLimit } = addon.layout.constants;
/** What chown takes for "leave it as it is": nobody has this number. */
export const NO_ID = 2 ** 32 - 1;
/** The largest numbers that devices have in Linux. */
export const MAJOR_LIMIT = 2 ** 12 - 1;
export const MINOR_LIMIT = 2 ** 20 - 1;
const XATTR_LIMIT = 65536; // XATTR_SIZE_MAX of Linux

export interface Time {
  /** Seconds since 1970, below zero before. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface Entry {
  readonly type: EntryType;
  /** Cleaned; '' is the root, and a chunk's, which belongs to the file before it. */
  readonly path: string;
  /** Permission bits, with setuid, setgid and sticky; nothing of the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modtime: Time;
  /** A symlink's target as it is, or a hardlink's, cleaned. */
  readonly link: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: readonly Xattr[];
  /** Bytes of a regular file's content. */
  readonly size: number;
  /** The whole file's sha256, 64 hex digits; '' if the TOC tells none. */
  readonly digest: string;
  /** Where in the blob the gzip member, or the zstd frame, starts that holds this chunk. */
  readonly offset: number;
  /** Where in the blob the last chunk of the file ends; 0 if the TOC does not tell it. */
  readonly endOffset: number;
  /** Where in that member's output the chunk starts. */
  readonly innerOffset: number;
  /** Where in the file the chunk starts. */
  readonly chunkOffset: number;
  /** Bytes of the chunk; 0: up to the end of the file. */
  readonly chunkSize: number;
  /** As `digest`, of this chunk's content. */
  readonly chunkDigest: string;
  /** The chunk is zeros: no bytes of the blob are needed for it. */
  readonly isZeros: boolean;
}

/** Whether a symlink can have this target; if not: "is empty, holds a NUL or is over `pathLimit` bytes". */
export function isSymlinkTarget(link: string): boolean {
  return link !== '' && !link.includes('\0') && nameLength(link) <= pathLimit;
}

/** What keeps an extended attribute with a value of `size` bytes off every file system; undefined if nothing does. */
export function xattrFault(name: string, size: number): string | undefined {
  const length = nameLength(name);
  if (length === 0 || length > nameLimit || name.includes('\0')) {
    return `xattr ${quote(name)} has a name that is empty, holds a NUL or is over ${nameLimit} bytes`;
  }
  return size > XATTR_LIMIT ? `xattr ${quote(name)} has ${size} bytes, more than ${XATTR_LIMIT}` : undefined;
}
