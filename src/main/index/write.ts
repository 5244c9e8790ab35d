// SPDX-License-Identifier: GPL-3.0-or-later

/** Lays out an index as csrc/shared/index.h draws it. */

import { addon } from '../../native/addon.js';
import type { Codec } from '../formats/codec.js';
import type { Point, Points } from '../formats/points.js';
import type { ChunkTable } from './chunk-table.js';
import type { LayerTree } from './layer-tree.js';
import { S_IFLNK, S_IFMT, S_IFREG } from './modes.js';
import { CHECKED_WHOLE, KEY_IS_DIGEST, KEY_WORDS, SUMMED } from './nodes.js';
import { fileOf, type Numbering } from './numbering.js';
import type { Output } from './output.js';
import type { Slots } from './slots.js';

const { layout } = addon;
const {
  index: HEADER,
  inode: INODE,
  dirent: DIRENT,
  chunk: CHUNK,
  xattr: XATTR,
  slot: SLOT,
  point: POINT,
  table: TABLE,
} = layout;
const { indexVersion, indexUnverified, inodeDigest, inodeWhole, inodeSummed } = layout.constants;

const DIGEST_BYTES = 32;
const UNTIL_TOC = 2n ** 64n - 1n;

/** What the header says beside the tables. */
export interface IndexFacts {
  readonly key: Buffer;
  readonly codec: Codec;
  readonly hashSeed: number;
  readonly inoBase: bigint;
  readonly prefetchEnd: number;
  readonly contentSize: number;
  readonly unverified: boolean;
}

export interface IndexParts {
  readonly layer: LayerTree;
  readonly numbering: Numbering;
  readonly chunks: ChunkTable;
  readonly slots: Slots;
  readonly facts: IndexFacts;
  /** Where the blob can be decoded from, if the codec needs to be told that. */
  readonly points?: Points | undefined;
}

interface Table {
  readonly offset: number;
  readonly count: number;
}

const NAMES = ['inodes', 'dirents', 'chunks', 'digests', 'xattrs', 'slots', 'strings', 'points', 'windows'] as const;
type Tables = Readonly<Record<(typeof NAMES)[number], Table>>;

const NO_TABLE: Table = { offset: 0, count: 0 };

/** Writes the header, and all tables behind it. */
export function writeIndex(output: Output, parts: IndexParts): void {
  const { contents, tree } = parts.layer;
  const { tables, fileSize } = layOut(parts);
  writeHeader(output, tables, fileSize, parts);
  writeInodes(output, tables.inodes, parts);
  writeDirents(output, tables.dirents, parts);
  writeChunks(output, tables.chunks, parts);
  output.bytes(tables.digests.offset, contents.chunks.digests.at, tables.digests.count * DIGEST_BYTES);
  writeXattrs(output, tables.xattrs, parts);
  writeSlots(output, tables.slots, parts);
  output.bytes(tables.strings.offset, tree.strings.bytes.at, tables.strings.count);
  writePoints(output, tables, parts);
}

/** Where each table stands, and how long the file is. */
function layOut({ layer, numbering, chunks, slots, points }: IndexParts): { tables: Tables; fileSize: number } {
  let end = HEADER.bytes;
  const table = (count: number, recordBytes: number): Table => {
    const offset = Math.ceil(end / 8) * 8;
    end = offset + count * recordBytes;
    return { offset, count };
  };
  const tables = {
    inodes: table(numbering.inodes.length, INODE.bytes),
    dirents: table(numbering.dirents.length, DIRENT.bytes),
    chunks: table(chunks.chunks.length, CHUNK.bytes),
    digests: table(layer.contents.chunks.digestCount, DIGEST_BYTES),
    xattrs: table(layer.xattrs.count, XATTR.bytes),
    slots: table(slots.dirents.length, SLOT.bytes),
    strings: table(layer.tree.strings.length, 1),
    ...(points
      ? { points: table(points.list.length, POINT.bytes), windows: table(points.windowBytes, 1) }
      : { points: NO_TABLE, windows: NO_TABLE }),
  };
  return { tables, fileSize: end };
}

function writeHeader(output: Output, tables: Tables, fileSize: number, { facts, chunks, slots }: IndexParts): void {
  output.records(0, HEADER.bytes, 1, (view) => {
    view.setBigUint64(0, layout.indexMagic, true); // a file's magic is its first bytes
    view.setUint32(HEADER.version, indexVersion, true);
    view.setUint32(HEADER.probes, slots.probes, true);
    setU64(view, HEADER.fileSize, fileSize);
    facts.key.copy(new Uint8Array(view.buffer, HEADER.key));
    view.setBigUint64(HEADER.inoBase, facts.inoBase, true);
    setU64(view, HEADER.blobUsed, chunks.blobUsed);
    setU64(view, HEADER.prefetchEnd, facts.prefetchEnd);
    setU64(view, HEADER.contentSize, facts.contentSize);
    view.setUint32(HEADER.codec, facts.codec.number, true);
    view.setUint32(HEADER.hashSeed, facts.hashSeed, true);
    view.setUint32(HEADER.flags, facts.unverified ? indexUnverified : 0, true);
    for (const name of NAMES) {
      setU64(view, HEADER[name] + TABLE.offset, tables[name].offset);
      setU64(view, HEADER[name] + TABLE.count, tables[name].count);
    }
  });
}

function writeInodes(output: Output, { offset, count }: Table, { layer, numbering }: IndexParts): void {
  const { nodes } = layer.tree;
  output.records(offset, INODE.bytes, count, (view, at, i) => {
    const node = numbering.inodes[i] as number;
    const mode = nodes.mode.at[node] as number;
    const format = mode & S_IFMT;
    const seconds = nodes.mtimeSec.at[node] as number;
    view.setUint32(at + INODE.mtimeSec, seconds, true); // two's complement, low word
    view.setInt32(at + INODE.mtimeSec + 4, Math.floor(seconds / 2 ** 32), true);
    view.setUint32(at + INODE.mtimeNsec, nodes.mtimeNsec.at[node] as number, true);
    view.setUint32(at + INODE.mode, mode, true);
    view.setUint32(at + INODE.uid, nodes.uid.at[node] as number, true);
    view.setUint32(at + INODE.gid, nodes.gid.at[node] as number, true);
    view.setUint32(at + INODE.nlink, numbering.nlink[node] as number, true);
    view.setUint32(at + INODE.xattrFirst, nodes.xattrFirst.at[node] as number, true);
    view.setUint32(at + INODE.xattrCount, nodes.xattrCount.at[node] as number, true);
    view.setUint32(at + INODE.dirent, numbering.direntOf[node] as number, true);
    if (format === S_IFREG || format === S_IFLNK) {
      setU64(view, at + INODE.size, nodes.size.at[node] as number);
    }
    if (nodes.isDevice(node)) {
      view.setUint32(at + INODE.major, nodes.first.at[node] as number, true);
      view.setUint32(at + INODE.minor, nodes.length.at[node] as number, true);
    } else {
      setU64(view, at + INODE.first, nodes.first.at[node] as number);
      view.setUint32(at + INODE.count, nodes.length.at[node] as number, true);
    }
    if (format === S_IFREG) {
      view.setUint32(at + INODE.flags, inodeFlags(nodes.flags.at[node] as number), true);
      for (let word = 0; word < KEY_WORDS; word++) {
        view.setUint32(at + INODE.key + word * 4, nodes.key.at[node * KEY_WORDS + word] as number, true);
      }
    }
  });
}

function writeDirents(output: Output, { offset, count }: Table, { layer, numbering }: IndexParts): void {
  const { nodes } = layer.tree;
  output.records(offset, DIRENT.bytes, count, (view, at, i) => {
    const node = numbering.dirents[i] as number;
    view.setUint32(at + DIRENT.path, nodes.path.at[node] as number, true);
    view.setUint32(at + DIRENT.inode, numbering.inodeOf[node] as number, true);
    view.setUint16(at + DIRENT.pathLength, nodes.pathLength.at[node] as number, true);
    view.setUint8(at + DIRENT.nameLength, nodes.nameLength.at[node] as number);
    view.setUint8(at + DIRENT.type, ((nodes.mode.at[fileOf(nodes, node)] as number) & S_IFMT) >> 12); // DT_* of dirent.h
  });
}

function writeChunks(output: Output, { offset, count }: Table, { layer, chunks }: IndexParts): void {
  const { contents } = layer;
  output.records(offset, CHUNK.bytes, count, (view, at, i) => {
    const chunk = chunks.chunks[i] as number;
    const end = chunks.ends[i] as number;
    setU64(view, at + CHUNK.offset, contents.chunks.offset.at[chunk] as number);
    if (Number.isFinite(end)) {
      setU64(view, at + CHUNK.end, end);
    } else {
      view.setBigUint64(at + CHUNK.end, UNTIL_TOC, true);
    }
    setU64(view, at + CHUNK.inner, contents.chunks.inner.at[chunk] as number);
    setU64(view, at + CHUNK.fileOffset, contents.chunks.fileOffset.at[chunk] as number);
    setU64(view, at + CHUNK.size, contents.chunks.size.at[chunk] as number);
    view.setUint32(at + CHUNK.digest, contents.chunks.digest.at[chunk] as number, true);
    view.setUint32(at + CHUNK.inode, chunks.inodes[i] as number, true);
  });
}

function writeXattrs(output: Output, { offset, count }: Table, { layer }: IndexParts): void {
  const { xattrs } = layer;
  output.records(offset, XATTR.bytes, count, (view, at, i) => {
    view.setUint32(at + XATTR.name, xattrs.name.at[i] as number, true);
    view.setUint32(at + XATTR.value, xattrs.value.at[i] as number, true);
    view.setUint32(at + XATTR.valueLength, xattrs.valueLength.at[i] as number, true);
    view.setUint16(at + XATTR.nameLength, xattrs.nameLength.at[i] as number, true);
  });
}

function writeSlots(output: Output, { offset, count }: Table, { slots }: IndexParts): void {
  output.records(offset, SLOT.bytes, count, (view, at, i) => {
    const dirent = slots.dirents[i] as number;
    if (dirent !== 0) {
      view.setUint32(at + SLOT.tag, slots.tags[dirent - 1] as number, true);
      view.setUint32(at + SLOT.dirent, dirent, true);
    }
  });
}

function writePoints(output: Output, tables: Tables, { points }: IndexParts): void {
  if (points === undefined) return;
  let place = 0;
  output.records(tables.points.offset, POINT.bytes, tables.points.count, (view, at, i) => {
    const { offset, outOffset, bit, windowSize, window } = points.list[i] as Point;
    setU64(view, at + POINT.offset, offset);
    setU64(view, at + POINT.out, outOffset);
    setU64(view, at + POINT.window, place);
    view.setUint32(at + POINT.windowLength, window.length, true);
    view.setUint16(at + POINT.windowSize, windowSize, true);
    view.setUint8(at + POINT.bit, bit);
    place += window.length;
  });
  place = tables.windows.offset;
  for (const { window } of points.list) {
    output.bytes(place, window, window.length);
    place += window.length;
  }
}

/** What csrc/shared/index.h calls CRFS_INODE_*. */
function inodeFlags(flags: number): number {
  return (
    (flags & KEY_IS_DIGEST ? inodeDigest : 0) |
    (flags & CHECKED_WHOLE ? inodeWhole : 0) |
    (flags & SUMMED ? inodeSummed : 0)
  );
}

/** A non-negative integer below 2^53 as u64. */
function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
