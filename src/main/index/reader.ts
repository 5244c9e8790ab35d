// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Reads an index (csrc/shared/index.h) in place. Single fields come without garbage, for hot use by the workers.
 * Inodes, dirents and chunks are told by their numbers; inode 0 is the root.
 */

import { addon } from '../../native/addon.js';
import { CrfsError } from '../errors/error.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import type { Point, Restart } from '../formats/points.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './modes.js';
import { NameTable } from './name-table.js';
import { objectName } from './object-name.js';

const { index: HEADER, inode: INODE, chunk: CHUNK, xattr: XATTR, point: POINT, table: TABLE } = addon.layout;
const { codecGzipPoints, indexUnverified, inodeDigest, inodeWhole, inodeSummed } = addon.layout.constants;

const DIGEST_BYTES = 32;

export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

/** A name in the tree and the inode that it leads to. */
export interface PathEntry {
  readonly path: string;
  readonly inode: number;
}

export class IndexReader {
  readonly inodes: number;
  readonly chunks: number;
  /** Bytes [0, prefetchEnd) of the blob are wanted at start; 0: nothing is. */
  readonly prefetchEnd: number;
  /** Bytes of all regular files, each inode once. */
  readonly contentSize: number;
  /** Some file's bytes cannot be checked, because the TOC holds no digest of it. */
  readonly unverified: boolean;
  /** The number of the codec that chunks are compressed with: see formats/codec.ts. */
  readonly codec: number;

  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #names: NameTable;
  readonly #inodes: number;
  readonly #chunks: number;
  readonly #digests: number;
  readonly #xattrs: number;
  readonly #strings: number;
  readonly #points: number;
  readonly #pointCount: number;
  readonly #windows: number;

  /** Over bytes that addon.indexCheck found sound: nothing is checked again. They must stay as they are. */
  constructor(index: ArrayBuffer | Uint8Array) {
    this.#bytes = ArrayBuffer.isView(index)
      ? Buffer.from(index.buffer, index.byteOffset, index.byteLength)
      : Buffer.from(index);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#names = new NameTable(this.#bytes);
    this.inodes = this.#u64(HEADER.inodes + TABLE.count);
    this.chunks = this.#u64(HEADER.chunks + TABLE.count);
    this.prefetchEnd = this.#u64(HEADER.prefetchEnd);
    this.contentSize = this.#u64(HEADER.contentSize);
    this.unverified = (this.#u32(HEADER.flags) & indexUnverified) !== 0;
    this.codec = this.#u32(HEADER.codec);
    this.#inodes = this.#u64(HEADER.inodes + TABLE.offset);
    this.#chunks = this.#u64(HEADER.chunks + TABLE.offset);
    this.#digests = this.#u64(HEADER.digests + TABLE.offset);
    this.#xattrs = this.#u64(HEADER.xattrs + TABLE.offset);
    this.#strings = this.#u64(HEADER.strings + TABLE.offset);
    this.#points = this.#u64(HEADER.points + TABLE.offset);
    this.#pointCount = this.#u64(HEADER.points + TABLE.count);
    this.#windows = this.#u64(HEADER.windows + TABLE.offset);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  /** A u64 as a number: exact below 2^53, which sizes and offsets of an index stay below. */
  #u64(at: number): number {
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  #inode(n: number): number {
    return this.#inodes + n * INODE.bytes;
  }

  #chunk(c: number): number {
    return this.#chunks + c * CHUNK.bytes;
  }

  #slice(at: number, length: number): Buffer {
    return this.#bytes.subarray(this.#strings + at, this.#strings + at + length);
  }

  /** Permission bits and S_IFMT. */
  mode(n: number): number {
    return this.#u32(this.#inode(n) + INODE.mode);
  }
  isDirectory(n: number): boolean {
    return (this.mode(n) & S_IFMT) === S_IFDIR;
  }
  isFile(n: number): boolean {
    return (this.mode(n) & S_IFMT) === S_IFREG;
  }
  isSymlink(n: number): boolean {
    return (this.mode(n) & S_IFMT) === S_IFLNK;
  }
  /** Bytes of a regular file's content or of a symlink's target, else 0. */
  size(n: number): number {
    return this.#u64(this.#inode(n) + INODE.size);
  }
  /** Seconds since 1970, below zero before. */
  mtimeSeconds(n: number): number {
    const at = this.#inode(n) + INODE.mtimeSec;
    return this.#view.getInt32(at + 4, true) * 2 ** 32 + this.#u32(at);
  }
  mtimeNanoseconds(n: number): number {
    return this.#u32(this.#inode(n) + INODE.mtimeNsec);
  }
  uid(n: number): number {
    return this.#u32(this.#inode(n) + INODE.uid);
  }
  gid(n: number): number {
    return this.#u32(this.#inode(n) + INODE.gid);
  }
  nlink(n: number): number {
    return this.#u32(this.#inode(n) + INODE.nlink);
  }
  /** Of a device. */
  major(n: number): number {
    return this.#u32(this.#inode(n) + INODE.major);
  }
  /** Of a device. */
  minor(n: number): number {
    return this.#u32(this.#inode(n) + INODE.minor);
  }

  /** What tells a regular file's content from others; hex. */
  key(n: number): string {
    const at = this.#inode(n) + INODE.key;
    return this.#bytes.toString('hex', at, at + DIGEST_BYTES);
  }
  /** The same, as a view of its 32 bytes. */
  keyBytes(n: number): Uint8Array {
    const at = this.#inode(n) + INODE.key;
    return this.#bytes.subarray(at, at + DIGEST_BYTES);
  }
  /** The sha256 of a regular file's content, as a view of its 32 bytes; null: the TOC does not tell it. */
  fileDigest(n: number): Uint8Array | null {
    const flags = this.#inodeFlags(n);
    if ((flags & inodeDigest) !== 0) return this.keyBytes(n);
    return (flags & inodeSummed) !== 0 ? this.#digest(this.#lastDigest(n) + 1) : null;
  }
  #lastDigest(n: number): number {
    const first = this.chunkFirst(n);
    let last = 0;
    for (let c = first; c < first + this.chunkCount(n); c++) last = Math.max(last, this.#digestNumber(c));
    return last;
  }
  /** Whether a regular file of several chunks can be checked only when all of them are there. */
  isCheckedWhole(n: number): boolean {
    return (this.#inodeFlags(n) & inodeWhole) !== 0;
  }
  #inodeFlags(n: number): number {
    return this.#u32(this.#inode(n) + INODE.flags);
  }
  /** The name of a regular file's object. */
  objectName(n: number): string {
    return objectName(this.key(n), (this.#inodeFlags(n) & inodeDigest) !== 0);
  }
  /** A regular file's first chunk. */
  chunkFirst(n: number): number {
    return this.#u64(this.#inode(n) + INODE.first);
  }
  /** Chunks of a regular file. */
  chunkCount(n: number): number {
    return this.#u32(this.#inode(n) + INODE.count);
  }

  /** Where the chunk's gzip member, or its first zstd frame, starts in the blob. */
  chunkOffset(c: number): number {
    return this.#u64(this.#chunk(c) + CHUNK.offset);
  }
  /** Where the member ends in the blob at the latest; Infinity: where the TOC starts. */
  chunkEnd(c: number): number {
    const at = this.#chunk(c) + CHUNK.end;
    return this.#u32(at + 4) === 0xffffffff ? Number.POSITIVE_INFINITY : this.#u64(at);
  }
  /** Whether the chunk is zeros, for which the blob is not read. */
  isZeros(c: number): boolean {
    return this.chunkOffset(c) === this.chunkEnd(c);
  }
  /** Where the chunk's content starts in the member's output. */
  chunkInner(c: number): number {
    return this.#u64(this.#chunk(c) + CHUNK.inner);
  }
  chunkFileOffset(c: number): number {
    return this.#u64(this.#chunk(c) + CHUNK.fileOffset);
  }
  chunkSize(c: number): number {
    return this.#u64(this.#chunk(c) + CHUNK.size);
  }
  chunkInode(c: number): number {
    return this.#u32(this.#chunk(c) + CHUNK.inode);
  }
  /** The first chunk whose member starts at byte `offset` of the blob or behind it; `chunks` if there is none. */
  chunkAt(offset: number): number {
    let low = 0;
    let high = this.chunks;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.chunkOffset(middle) < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  /** Where the blob can be decoded from, in its order. */
  *points(): Generator<Point> {
    for (let place = this.#points, left = this.#pointCount; left > 0; place += POINT.bytes, left--) {
      const at = this.#windows + this.#u64(place + POINT.window);
      yield {
        offset: this.#u64(place + POINT.offset),
        bit: this.#view.getUint8(place + POINT.bit),
        outOffset: this.#u64(place + POINT.out),
        windowSize: this.#view.getUint16(place + POINT.windowSize, true),
        window: this.#bytes.subarray(at, at + this.#u32(place + POINT.windowLength)),
      };
    }
  }
  /** How to begin to decode at the offset of a chunk; undefined where a member begins. Throws CRFS_BAD_LAYER for a window that is broken. */
  restart(offset: number): Restart | undefined {
    if (this.codec !== codecGzipPoints) return undefined;
    let low = 0;
    let high = this.#pointCount - 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#u64(this.#points + middle * POINT.bytes + POINT.offset) < offset) low = middle + 1;
      else high = middle;
    }
    const point = this.#points + low * POINT.bytes;
    const at = this.#windows + this.#u64(point + POINT.window);
    const packed = this.#bytes.subarray(at, at + this.#u32(point + POINT.windowLength));
    const window = Buffer.alloc(this.#view.getUint16(point + POINT.windowSize, true));
    if (window.length > 0 && addon.inflate(packed, window) !== window.length) {
      throw new CrfsError('CRFS_BAD_LAYER', `the index has a broken window for byte ${offset} of the blob`);
    }
    return { bit: this.#view.getUint8(point + POINT.bit), window };
  }
  /** A view of the sha256 of the chunk's content; null: it has none of its own, see crfs_chunk.digest. */
  chunkDigest(c: number): Uint8Array | null {
    const number = this.#digestNumber(c);
    return number === 0 ? null : this.#digest(number);
  }
  /** 1 + index into digests; 0: none. */
  #digestNumber(c: number): number {
    return this.#u32(this.#chunk(c) + CHUNK.digest);
  }
  #digest(number: number): Uint8Array {
    const at = this.#digests + (number - 1) * DIGEST_BYTES;
    return this.#bytes.subarray(at, at + DIGEST_BYTES);
  }

  /** The inode at a clean path ('' is the root), or -1. */
  find(path: string): number {
    return path === '' ? 0 : this.#names.find(path);
  }

  /** A path of the inode: one of several if it has hardlinks; the root's is ''. */
  path(n: number): string {
    return n === 0 ? '' : this.#names.path(this.#u32(this.#inode(n) + INODE.dirent));
  }

  /** The entries of a directory, sorted by the bytes of their names. */
  *children(directory: number): Generator<PathEntry> {
    const first = this.#u64(this.#inode(directory) + INODE.first);
    const end = first + this.#u32(this.#inode(directory) + INODE.count);
    for (let dirent = first; dirent < end; dirent++) {
      yield { path: this.#names.path(dirent), inode: this.#names.inode(dirent) };
    }
  }

  /** A symlink's target. */
  target(n: number): string {
    return nameOfBytes(this.#slice(this.#u64(this.#inode(n) + INODE.first), this.size(n)));
  }

  xattrs(n: number): Xattr[] {
    const first = this.#u32(this.#inode(n) + INODE.xattrFirst);
    return Array.from({ length: this.#u32(this.#inode(n) + INODE.xattrCount) }, (_, i) => {
      const at = this.#xattrs + (first + i) * XATTR.bytes;
      return {
        name: nameOfBytes(this.#slice(this.#u32(at + XATTR.name), this.#view.getUint16(at + XATTR.nameLength, true))),
        value: this.#slice(this.#u32(at + XATTR.value), this.#u32(at + XATTR.valueLength)),
      };
    });
  }
}
