// SPDX-License-Identifier: GPL-3.0-or-later

/** What is known of a file in a layer, in the form that --json prints. */

import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from '../index/modes.js';
import { spanOf } from '../index/span.js';
import type { Node } from './view.js';

const TYPES: ReadonlyMap<number, readonly [type: FileType, letter: string]> = new Map([
  [S_IFDIR, ['directory', 'd']],
  [S_IFREG, ['file', '-']],
  [S_IFLNK, ['symlink', 'l']],
  [S_IFCHR, ['char', 'c']],
  [S_IFBLK, ['block', 'b']],
  [S_IFIFO, ['fifo', 'p']],
]);

export type FileType = 'directory' | 'file' | 'symlink' | 'char' | 'block' | 'fifo';

export interface Facts {
  /** From the root of the image: `/etc/passwd`. */
  readonly path: string;
  readonly type: FileType;
  /** Permission bits, four octal digits. */
  readonly mode: string;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** RFC 3339, UTC, with nanoseconds. */
  readonly mtime: string;
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  /** The number of the layer that it is from; 1 is the base. */
  readonly layer: number;
}

/** Where a piece of a file's content lies. Offsets and sizes in bytes. */
export interface ChunkFacts {
  /** In the file. */
  readonly fileOffset: number;
  readonly size: number;
  /** Of the gzip member or zstd frame in the blob, and where it ends at the latest; equal: zeros, without bytes. */
  readonly offset: number;
  readonly end: number;
  /** Of the content in the member's output. */
  readonly innerOffset: number;
  readonly digest: string | null;
}

export interface AllFacts extends Facts {
  /** In the layer: the same for hardlinks of one file. */
  readonly inode: number;
  /** Names to values in base64. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** sha256 of a file's content, where the TOC says it. */
  readonly digest: string | null;
  readonly chunks: readonly ChunkFacts[];
  readonly layerName: string;
  readonly layerDigest: string | null;
  readonly layerKind: string;
}

function typeOf(mode: number): readonly [type: FileType, letter: string] {
  return TYPES.get(mode & S_IFMT) ?? ['file', '?']; // an index has no others
}

/** What `ls --json` prints of a file. */
export function factsOf({ path, layer, inode }: Node): Facts {
  const { index, number } = layer;
  const mode = index.mode(inode);
  const [type] = typeOf(mode);
  return {
    path: `/${path}`,
    type,
    mode: (mode & 0o7777).toString(8).padStart(4, '0'),
    nlink: index.nlink(inode),
    uid: index.uid(inode),
    gid: index.gid(inode),
    size: index.size(inode),
    mtime: timeOf(index.mtimeSeconds(inode), index.mtimeNanoseconds(inode)),
    ...(type === 'symlink' && { target: index.target(inode) }),
    ...((type === 'char' || type === 'block') && {
      device: { major: index.major(inode), minor: index.minor(inode) },
    }),
    layer: number,
  };
}

/** What `stat --json` prints of a file. */
export function allFactsOf(node: Node): AllFacts {
  const { index, name, digest, kind } = node.layer;
  const { inode } = node;
  const file = index.isFile(inode);
  const first = file ? index.chunkFirst(inode) : 0;
  const count = file ? index.chunkCount(inode) : 0;
  const ofFile = file ? index.fileDigest(inode) : null;
  return {
    ...factsOf(node),
    inode,
    xattrs: Object.fromEntries(
      index.xattrs(inode).map(({ name: key, value }) => [key, Buffer.from(value).toString('base64')]),
    ),
    digest: ofFile && named(ofFile),
    chunks: Array.from({ length: count }, (_, i) => {
      const chunk = first + i;
      const [offset, end] = spanOf(node.layer, chunk);
      const own = index.chunkDigest(chunk) ?? (count === 1 ? ofFile : null);
      return {
        fileOffset: index.chunkFileOffset(chunk),
        size: index.chunkSize(chunk),
        offset,
        end,
        innerOffset: index.chunkInner(chunk),
        digest: own && named(own),
      };
    }),
    layerName: name,
    layerDigest: digest ?? null,
    layerKind: kind,
  };
}

/** As `ls -l` writes type and permissions: drwxr-xr-x */
export function modeText(mode: number): string {
  const [, letter] = typeOf(mode);
  const bits = [6, 3, 0].map((shift) => (mode >> shift) & 7);
  const special = [
    [0o4000, 's'],
    [0o2000, 's'],
    [0o1000, 't'],
  ] as const;
  const text = bits.map((three, who) => {
    const [bit, mark] = special[who] as readonly [number, string];
    const executable = (three & 1) !== 0;
    const last = (mode & bit) !== 0 ? (executable ? mark : mark.toUpperCase()) : executable ? 'x' : '-';
    return `${three & 4 ? 'r' : '-'}${three & 2 ? 'w' : '-'}${last}`;
  });
  return letter + text.join('');
}

function timeOf(seconds: number, nanoseconds: number): string {
  const whole = new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length);
  return `${whole}.${String(nanoseconds).padStart(9, '0')}Z`;
}

function named(digest: Uint8Array): string {
  return `sha256:${Buffer.from(digest).toString('hex')}`;
}
