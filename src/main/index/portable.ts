// SPDX-License-Identifier: GPL-3.0-or-later

/** The index of a layer without a TOC, written for other machines: src/main/formats/portable/layout.ts. */

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { codecOf, ZSTD } from '../formats/codec.js';
import { formatTime } from '../formats/json-toc/format-time.js';
import { encodeHeader, encodePoint } from '../formats/portable/layout.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from './modes.js';
import type { IndexReader } from './reader.js';

const TYPES: Readonly<Record<number, string>> = {
  [S_IFDIR]: 'dir',
  [S_IFREG]: 'reg',
  [S_IFLNK]: 'symlink',
  [S_IFCHR]: 'char',
  [S_IFBLK]: 'block',
  [S_IFIFO]: 'fifo',
};
/** Bytes of a frame of zstd that may have to be decoded before those that are wanted. */
const MOST_BEFORE = 32 << 20;
const WRITE_SIZE = 64 << 10;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Whether the index of a layer without a TOC is of use to other machines: not where a frame of zstd is so large that they do better to
 * read all of the layer once. docs/plain-layers.md.
 */
export function isOfUse(index: IndexReader): boolean {
  if (index.codec !== ZSTD.number) return true;
  const starts = new Set(Array.from(index.points(), ({ offset }) => offset)); // none, where an older version has made it
  for (let chunk = 0; chunk < index.chunks; chunk++) {
    if (index.isZeros(chunk)) continue;
    if (!starts.has(index.chunkOffset(chunk)) || index.chunkInner(chunk) > MOST_BEFORE) return false;
  }
  return true;
}

/** The portable form of the index of a layer without a TOC, whose blob has `blobSize` bytes. */
export async function portableIndex(index: IndexReader, blobSize: number): Promise<Buffer> {
  const { form } = codecOf(index.codec);
  const points = [...index.points()];
  const toc = await buffer(Readable.from(jsonOf(index), { objectMode: false }).pipe(createGzip({ level: 9 })));
  const records = points.map((point) => encodePoint({ ...point, windowBytes: point.window.length }));
  const header = encodeHeader({ blobSize, form, tocBytes: toc.length, points: points.length });
  return Buffer.concat([header, toc, ...records, ...points.map(({ window }) => window)]);
}

function* jsonOf(index: IndexReader): Generator<Buffer> {
  let text = '{"version":1,"entries":[';
  let comma = '';
  for (const fields of entriesOf(index)) {
    text += `${comma}\n${JSON.stringify(fields)}`;
    comma = ',';
    if (text.length < WRITE_SIZE) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(`${text}\n]}\n`);
}

/** All of the tree: each directory before what it holds, each file before its hardlinks. */
function* entriesOf(index: IndexReader): Generator<Fields> {
  const starts = new Map(Array.from(index.points(), ({ offset, outOffset }) => [offset, outOffset]));
  yield kept({ name: './', ...attributesOf(index, 0) });
  const directories = [0];
  const linked = new Map<number, string>();
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    for (const { path: name, inode } of index.children(directory)) {
      const first = linked.get(inode);
      if (first !== undefined) {
        yield { name, type: 'hardlink', linkName: first };
        continue;
      }
      if (!index.isDirectory(inode) && index.nlink(inode) > 1) linked.set(inode, name);
      const [own = {}, ...chunks] = index.isFile(inode) ? chunksOf(index, inode, starts) : [];
      yield kept({ name, ...attributesOf(index, inode), ...own });
      for (const chunk of chunks) yield kept({ name, type: 'chunk', ...chunk });
      if (index.isDirectory(inode)) directories.push(inode);
    }
  }
}

function attributesOf(index: IndexReader, inode: number): Fields {
  const mode = index.mode(inode);
  const type = TYPES[mode & S_IFMT];
  const time = { seconds: index.mtimeSeconds(inode), nanoseconds: index.mtimeNanoseconds(inode) };
  const isDevice = type === 'char' || type === 'block';
  const xattrs = index.xattrs(inode).map(({ name, value }) => [name, Buffer.from(value).toString('base64')]);
  return {
    type,
    size: type === 'reg' ? index.size(inode) : 0,
    mode: mode & 0o7777,
    uid: index.uid(inode),
    gid: index.gid(inode),
    modtime: formatTime(time),
    linkName: type === 'symlink' ? index.target(inode) : '',
    devMajor: isDevice ? index.major(inode) : 0,
    devMinor: isDevice ? index.minor(inode) : 0,
    xattrs: xattrs.length === 0 ? 0 : Object.fromEntries(xattrs),
  };
}

function chunksOf(index: IndexReader, inode: number, starts: ReadonlyMap<number, number>): Fields[] {
  const first = index.chunkFirst(inode);
  return Array.from({ length: index.chunkCount(inode) }, (_, n) => {
    const chunk = first + n;
    const place = { chunkOffset: index.chunkFileOffset(chunk), chunkSize: index.chunkSize(chunk) };
    if (index.isZeros(chunk)) return { ...place, chunkType: 'zeros' };
    const digest = index.chunkDigest(chunk) ?? index.fileDigest(inode);
    const offset = index.chunkOffset(chunk);
    return {
      offset: (starts.get(offset) ?? offset) + index.chunkInner(chunk), // a tar that is not compressed has no points
      ...place,
      chunkDigest: digest === null ? '' : `sha256:${Buffer.from(digest).toString('hex')}`,
    };
  });
}

/** Fields that are zero or empty are left out. */
function kept(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0 && value !== ''));
}
