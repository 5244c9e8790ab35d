// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes as they go from machine to machine: what comes back of them, and what is made of those that lie. */

import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import type { BlobSource } from '../../src/main/blob/source.js';
import {
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  type Header,
  POINT_BYTES,
} from '../../src/main/formats/portable/layout.js';
import { INDEXED_GZIP, indexedLayer } from '../../src/main/formats/portable/read.js';
import { buildIndex, type IndexSummary } from '../../src/main/index/build.js';
import { checkDigest } from '../../src/main/index/check-digest.js';
import { portableIndex } from '../../src/main/index/portable.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { layerIn } from '../../src/main/plain/compressed.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { MemberReader, type StoredLayer } from '../../src/workers/decode/member-reader.js';
import { gzip } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { entriesOf } from '../tools/index-facts.js';
import { nastyLayer } from '../tools/nasty-layer.js';
import { sha256 } from '../tools/read-layer.js';
import { writeTar } from '../tools/tar-writer.js';

const SPAN = 64 << 10;
const LIES = process.env['CRFS_TEST_LONG'] ? 20_000 : 40;

const place = mkdtempSync(join(tmpdir(), 'crfs-portable-'));
process.once('exit', () => rmSync(place, { recursive: true }));
let made = 0;

interface Indexed {
  readonly index: IndexReader;
  readonly summary: IndexSummary;
}

async function built(make: (path: string) => Promise<IndexSummary>): Promise<Indexed> {
  const path = join(place, `index-${made++}`);
  const summary = await make(path);
  return { index: new IndexReader(new Uint8Array(readFileSync(path))), summary };
}

/** As a mount makes the index of a blob that it reads as a whole. */
async function passed(blob: string): Promise<Indexed> {
  const source = openFileSource(blob);
  try {
    return await built(async (path) =>
      buildIndex({ layer: layerIn(source, 'gzip', SPAN), path, memoryLimit: 2 ** 30, blobIdentity: 'blob' }),
    );
  } finally {
    await source.close();
  }
}

/** As a mount makes it by what another machine has found. `reads`: how often that was read. */
async function taken(
  bytes: Buffer,
  size: number,
  memoryLimit = 2 ** 30,
): Promise<Indexed & { readonly reads: number }> {
  const layer = indexedLayer({ name: 'layer', size });
  let reads = 0;
  const read: BlobSource['read'] = async (offset, length) => {
    reads++;
    return bytes.subarray(offset, offset + length);
  };
  const tocBlob = { name: 'index', size: bytes.length, read, close: async () => undefined };
  const indexed = await built(async (path) => buildIndex({ layer, tocBlob, path, memoryLimit, blobIdentity: 'blob' }));
  return { ...indexed, reads };
}

interface Sample {
  readonly blob: string;
  readonly size: number;
  readonly own: Indexed;
  readonly portable: Buffer;
}

async function sampleOf(name: string, tar: Buffer): Promise<Sample> {
  const blob = join(place, `${name}.tar.gz`);
  writeFileSync(blob, gzip(tar));
  const { size } = openFileSource(blob);
  const own = await passed(blob);
  return { blob, size, own, portable: await portableIndex(own.index, size) };
}

const files = (async (): Promise<Sample> => {
  const tar = join(place, 'files.tar');
  writeTar(tar, [
    { name: 'a', content: text(500_000) },
    { name: 'b', content: noise(1 << 20) },
    { name: 'c', content: Buffer.concat([noise(100), text(200_000)]) },
  ]);
  return await sampleOf('files', readFileSync(tar));
})();

/** Reads all content by an index; returns how many chunks could not be had. What is had is what the index says. */
function readAll(blob: string, index: IndexReader): number {
  const size = readFileSync(blob).length;
  const layer: StoredLayer = { index, blobFd: openSync(blob, 'r'), tocOffset: size, isFinal: () => true };
  let failed = 0;
  for (let chunk = 0; chunk < index.chunks; chunk++) {
    const members = new MemberReader(
      (codec) => decoderOf(codec, 'libdeflate'),
      () => undefined,
    );
    try {
      const bytes = Buffer.concat(Array.from(members.pieces(layer, chunk), (piece) => Buffer.from(piece)));
      const inode = index.chunkInode(chunk);
      const digest = index.chunkDigest(chunk) ?? index.fileDigest(inode);
      if (!index.isZeros(chunk)) checkDigest(bytes, digest ?? Buffer.alloc(0), 'the chunk');
    } catch (error) {
      if (!/^CRFS_(BAD_LAYER|DIGEST)$/.test((error as { code?: string }).code ?? '')) throw error;
      failed++;
    }
  }
  return failed;
}

/** All that a mount shows of it but content, and what that is held against. */
function treeIn(index: IndexReader): object[] {
  const paths = [{ path: '', inode: 0 }, ...entriesOf(index)];
  return paths.map(({ path, inode: n }) => ({
    path,
    numbers: [index.mode(n), index.size(n), index.uid(n), index.gid(n), index.nlink(n)],
    time: [index.mtimeSeconds(n), index.mtimeNanoseconds(n)],
    content: index.isFile(n) ? index.objectName(n) : '',
    target: index.isSymlink(n) ? index.target(n) : '',
    device: index.isFile(n) || index.isDirectory(n) ? [] : [index.major(n), index.minor(n)],
    xattrs: index.xattrs(n).map(({ name, value }) => [name, Buffer.from(value).toString('hex')]),
  }));
}

test('an index comes back as it was, of a nasty tar too', async (t) => {
  const nasty = await sampleOf('nasty', readFileSync((await nastyLayer()).tar));
  for (const { blob, size, own, portable } of [nasty, await files]) {
    const { index, summary } = await taken(portable, size);
    t.like(summary, { kind: INDEXED_GZIP, tocDigest: sha256(portable).slice('sha256:'.length), unverified: false });
    const { inodes, files: count, contentSize, tocOffset } = own.summary;
    t.like(summary, { inodes, files: count, contentSize, tocOffset });
    t.deepEqual(treeIn(index), treeIn(own.index));
    t.is(readAll(blob, index), 0);
  }
});

interface Parts {
  readonly header: Header;
  readonly toc: string;
  readonly points: Buffer;
  readonly windows: Buffer;
}

function partsOf(portable: Buffer): Parts {
  const header = decodeHeader(portable, portable.length);
  const tocEnd = HEADER_BYTES + header.tocBytes;
  const pointsEnd = tocEnd + header.points * POINT_BYTES;
  return {
    header,
    toc: gunzipSync(portable.subarray(HEADER_BYTES, tocEnd)).toString(),
    points: Buffer.from(portable.subarray(tocEnd, pointsEnd)),
    windows: Buffer.from(portable.subarray(pointsEnd)),
  };
}

function joined({ header, toc, points, windows }: Parts): Buffer {
  const packed = gzipSync(toc);
  const head = encodeHeader({ ...header, tocBytes: packed.length, points: points.length / POINT_BYTES });
  return Buffer.concat([head, packed, points, windows]);
}

function withNumber(portable: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(portable);
  copy.writeBigUInt64LE(BigInt(value), at);
  return copy;
}

/** The points with one changed. */
function withPoint(points: Buffer, number: number, change: (point: Buffer) => void): Buffer {
  const copy = Buffer.from(points);
  change(copy.subarray(number * POINT_BYTES));
  return copy;
}

test('an index is read in few pieces, however many points it has', async (t) => {
  const { size, portable } = await files;
  const { reads } = await taken(portable, size);
  t.is(reads, 5, 'all for its digest, its header, records, windows and TOC');
});

test('an index that breaks a rule is refused by it', async (t) => {
  const { size, portable } = await files;
  const parts = partsOf(portable);
  const { points, toc, windows, header } = parts;
  const other = (point: (bytes: Buffer) => void): Buffer => joined({ ...parts, points: withPoint(points, 3, point) });
  const wrong: readonly (readonly [Buffer, RegExp])[] = [
    [Buffer.alloc(0), /the index is cut short/],
    [noise(1000), /is no index of version 1/],
    [portable.subarray(0, HEADER_BYTES + 10), /the index is shorter than its header says/],
    [portable.subarray(0, -1), /a window leaves the index/],
    [Buffer.concat([portable, Buffer.alloc(1)]), /the index has bytes behind its windows/],
    [joined({ ...parts, header: { ...header, blobSize: size + 1 } }), /its index is of a blob of \d+ bytes, not \d+/],
    [withNumber(portable, 16, 2), /the index is of a blob in compression 2, not in gzip/],
    [withNumber(portable, 24, size * 2), /the index is shorter than its header says/],
    [other((bytes) => bytes.writeBigUInt64LE(2n ** 60n)), /a number that is too large/],
    [other((bytes) => bytes.writeBigUInt64LE(0n)), /points of the index do not follow each other/],
    [other((bytes) => bytes.writeBigUInt64LE(BigInt(size))), /points of the index do not follow each other/],
    [other((bytes) => bytes.writeBigUInt64LE(0n, 8)), /points of the index do not follow each other/],
    [other((bytes) => bytes.writeUInt32LE(64 << 10, 16)), /a point that can be none/],
    [other((bytes) => bytes.writeUInt16LE(32_769, 20)), /a point that can be none/],
    [other((bytes) => bytes.writeUInt8(8, 22)), /a point that can be none/],
    [
      joined({ ...parts, points: Buffer.alloc(0), windows: Buffer.alloc(0) }),
      /nothing can be decoded from before byte/,
    ],
    [joined({ ...parts, toc: toc.replace('"version":1', '"version":2') }), /TOC: version is 2, not 1/],
    [joined({ ...parts, toc: toc.slice(0, -100) }), /TOC: truncated/],
    [
      joined({ ...parts, toc: toc.replace(/"chunkDigest":"[^"]*"/, '"chunkDigest":""') }),
      /has no digest of its content/,
    ],
    [joined({ ...parts, toc: toc.replace('"name":"a"', '"name":"../a"') }), /holds a '..' part/],
    [joined({ ...parts, toc: toc.replace('"size":500000', '"size":500001') }), /no chunk for byte 500000/],
    [joined({ ...parts, toc: `${' '.repeat(17 << 20)}${toc}` }), /the TOC inflates to more than/],
    [joined({ ...parts, windows: Buffer.concat([windows, windows]) }), /the index has bytes behind its windows/],
  ];
  for (const [bytes, message] of wrong) await t.throwsAsync(taken(bytes, size), { code: 'CRFS_BAD_LAYER', message });
  await t.throwsAsync(taken(portable, size, 1 << 16), { message: /take more memory than it may/ });
});

test('what an index says wrongly of bits, windows, places and digests gives errors, and no wrong bytes', async (t) => {
  const { blob, size, portable } = await files;
  const parts = partsOf(portable);
  const { points, toc, windows } = parts;
  const zeroed = Buffer.from(windows).fill(0);
  const digest = /"chunkDigest":"sha256:[0-9a-f]{64}"/g;
  const everyPoint = (change: (point: Buffer) => void): Buffer => {
    const copy = Buffer.from(points);
    for (let at = POINT_BYTES; at < copy.length; at += POINT_BYTES) change(copy.subarray(at));
    return joined({ ...parts, points: copy });
  };
  const lies = [
    joined({ ...parts, windows: zeroed }),
    everyPoint((bytes) => bytes.writeUInt8((bytes.readUInt8(22) + 1) % 8, 22)),
    everyPoint((bytes) => bytes.writeBigUInt64LE(bytes.readBigUInt64LE(8) + 1n, 8)),
    everyPoint((bytes) => bytes.writeUInt16LE(1000, 20)),
    joined({ ...parts, toc: toc.replaceAll(digest, `"chunkDigest":"${sha256(Buffer.from('other'))}"`) }),
    joined({ ...parts, toc: toc.replaceAll(/"offset":(\d+)/g, (_, offset) => `"offset":${Number(offset) + 1}`) }),
  ];
  for (const [n, lie] of lies.entries()) t.true(readAll(blob, (await taken(lie, size)).index) > 0, `lie ${n}`);
});

test('an index with any bytes changed is refused, or gives what it says, or errors', async (t) => {
  const { blob, size, portable } = await files;
  let refused = 0;
  for (let n = 0, seed = 1; n < LIES; n++) {
    const bytes = Buffer.from(portable);
    for (let changes = 0; changes < 1 + (n % 3); changes++) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      const near = n % 2 === 0 ? HEADER_BYTES : bytes.length; // the header is small, and says the most
      bytes.writeUInt8(seed >>> 24, Math.floor((seed / 2 ** 32) * near));
    }
    try {
      const { index } = await taken(bytes, size);
      if (n % 10 === 0) readAll(blob, index);
    } catch (error) {
      refused++;
      t.is((error as { code?: string }).code, 'CRFS_BAD_LAYER');
    }
  }
  t.true(refused > LIES / 4);
});
