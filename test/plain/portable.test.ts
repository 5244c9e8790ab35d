// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes as they go from machine to machine: what comes back of them, and what is made of those that lie. */

import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { BlobSource } from '../../src/main/blob/source.js';
import type { Form } from '../../src/main/formats/decode.js';
import type { Layer } from '../../src/main/formats/format.js';
import { HEADER_BYTES, POINT_BYTES } from '../../src/main/formats/portable/layout.js';
import { indexedLayer } from '../../src/main/formats/portable/read.js';
import { buildIndex, type IndexSummary } from '../../src/main/index/build.js';
import { checkDigest } from '../../src/main/index/check-digest.js';
import { isOfUse, portableIndex } from '../../src/main/index/portable.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { layerIn } from '../../src/main/plain/compressed.js';
import { uncompressed } from '../../src/main/plain/uncompressed.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { MemberReader, type StoredLayer } from '../../src/workers/decode/member-reader.js';
import { gzip, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { entriesOf } from '../tools/index-facts.js';
import { nastyLayer } from '../tools/nasty-layer.js';
import { buildAs, natively } from '../tools/native-index.js';
import { joined, type Parts, partsOf, withNumber, withPoint } from '../tools/portable-parts.js';
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
async function passed(blob: string, form: Form): Promise<Indexed> {
  const source = openFileSource(blob);
  try {
    const layer = form === 'none' ? await uncompressed.recognise(source) : layerIn(source, form, SPAN);
    return await built(async (path) =>
      buildIndex({ layer: layer as Layer, path, memoryLimit: 2 ** 30, blobIdentity: 'blob' }),
    );
  } finally {
    await source.close();
  }
}

/** As a mount makes it by what another machine has found: natively, too, where that is done. `reads`: how often it was read else. */
async function taken(
  bytes: Buffer,
  size: number,
  memoryLimit = 2 ** 30,
): Promise<Indexed & { readonly reads: number; readonly isNative: boolean }> {
  let reads = 0;
  const read: BlobSource['read'] = async (offset, length) => {
    reads++;
    return bytes.subarray(offset, offset + length);
  };
  const tocBlob = { name: 'index', size: bytes.length, read, close: async () => undefined };
  const layer = await indexedLayer({ name: 'layer', size }, tocBlob);
  const limits = { memoryLimit, blobIdentity: 'blob' };
  const native = await natively(layer, bytes, limits);
  const indexed = await built((path) => buildAs(native, { layer, path, ...limits }));
  return { ...indexed, reads, isNative: native !== undefined };
}

interface Sample {
  readonly blob: string;
  readonly size: number;
  readonly own: Indexed;
  readonly portable: Buffer;
}

/** As builders write layers. */
const FORMS = {
  'plain gzip': gzip,
  'plain zstd': zstd,
  'plain zstd, in frames': inFrames,
  'plain tar': (tar: Buffer) => tar,
};
type Kind = keyof typeof FORMS;

function inFrames(tar: Buffer): Buffer {
  const size = Math.max(512 << 10, Math.ceil(tar.length / 8));
  const starts = Array.from({ length: Math.ceil(tar.length / size) }, (_, n) => n * size);
  return Buffer.concat(starts.map((start) => zstd(tar.subarray(start, start + size))));
}

async function sampleOf(tar: Buffer, kind: Kind = 'plain gzip'): Promise<Sample> {
  const blob = join(place, `blob-${made++}`);
  const bytes = FORMS[kind](tar);
  writeFileSync(blob, bytes);
  const own = await passed(blob, kind === 'plain tar' ? 'none' : kind === 'plain gzip' ? 'gzip' : 'zstd');
  return { blob, size: bytes.length, own, portable: await portableIndex(own.index, bytes.length) };
}

const tarOfFiles = ((): Buffer => {
  const tar = join(place, 'files.tar');
  writeTar(tar, [
    { name: 'a', content: text(500_000) },
    { name: 'b', content: noise(1 << 20) },
    { name: 'c', content: Buffer.concat([noise(100), text(200_000)]) },
  ]);
  return readFileSync(tar);
})();
const files = sampleOf(tarOfFiles);

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

/** Where the content of chunks is in the blob. */
function placesIn(index: IndexReader): number[][] {
  const chunks = Array.from({ length: index.chunks }, (_, chunk) => chunk).filter((chunk) => !index.isZeros(chunk));
  return chunks.map((chunk) => [index.chunkOffset(chunk), index.chunkInner(chunk), index.chunkEnd(chunk)]);
}

test('an index comes back as it was, of a nasty tar too', async (t) => {
  const nasty = readFileSync((await nastyLayer()).tar);
  for (const [kind, tar] of [
    ['plain gzip', nasty],
    ['plain gzip', tarOfFiles],
    ['plain zstd', tarOfFiles],
    ['plain zstd, in frames', nasty],
    ['plain tar', nasty],
  ] as const) {
    const { blob, size, own, portable } = await sampleOf(tar, kind);
    t.true(isOfUse(own.index));
    const { index, summary } = await taken(portable, size);
    const said = `${kind.replace(/,.*/, '')}, by an index in its registry`;
    t.like(summary, { kind: said, tocDigest: sha256(portable).slice('sha256:'.length), unverified: false });
    const { inodes, files: count, contentSize, tocOffset } = own.summary;
    t.like(summary, { inodes, files: count, contentSize, tocOffset });
    t.deepEqual(treeIn(index), treeIn(own.index));
    t.deepEqual(placesIn(index), placesIn(own.index));
    t.is(readAll(blob, index), 0);
  }
});

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
    [withNumber(portable, 16, 3), /the index is of a blob in compression 3, which is not known/],
    [withNumber(portable, 16, 0), /the index has points in a tar that is not compressed/],
    [withNumber(portable, 16, 2), /a point that can be none/],
    [withNumber(portable, 24, size * 2), /the index is shorter than its header says/],
    [other((bytes) => bytes.writeBigUInt64LE(2n ** 60n)), /a number that is too large/],
    [
      joined({ ...parts, points: withPoint(points, header.points - 1, (last) => last.writeBigUInt64LE(2n ** 60n, 8)) }),
      /a number that is too large/,
    ],
    [other((bytes) => bytes.writeBigUInt64LE(0n)), /points of the index do not follow each other/],
    [
      joined({ ...parts, points: withPoint(points, header.points - 1, (last) => last.writeBigUInt64LE(BigInt(size))) }),
      /points of the index do not follow each other/,
    ],
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
  await t.throwsAsync(taken(portable, size, 1 << 12), { message: /take more memory than it may/ });
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

/** All content elsewhere by so many bytes of the tar. */
function moved({ toc, ...parts }: Parts, by: number): Buffer {
  return joined({ ...parts, toc: toc.replaceAll(/"offset":(\d+)/g, (_, offset) => `"offset":${Number(offset) + by}`) });
}

test('what an index says wrongly of frames, and of a tar as it is, is refused or gives errors, and no wrong bytes', async (t) => {
  const framed = await sampleOf(tarOfFiles, 'plain zstd, in frames');
  const plain = await sampleOf(tarOfFiles, 'plain tar');
  const frames = partsOf(framed.portable);
  const at = (change: (point: Buffer) => void): Buffer =>
    joined({ ...frames, points: withPoint(frames.points, 2, change) });
  const lies: readonly (readonly [Sample, Buffer])[] = [
    [framed, moved(frames, 1)],
    [framed, at((point) => point.writeBigUInt64LE(point.readBigUInt64LE() + 1n))],
    [framed, at((point) => point.writeBigUInt64LE(point.readBigUInt64LE(8) + 1n, 8))],
    [framed, withNumber(framed.portable, 16, 1)],
    [plain, moved(partsOf(plain.portable), 1)],
  ];
  for (const [n, [{ blob, size }, lie]] of lies.entries()) {
    t.true(readAll(blob, (await taken(lie, size)).index) > 0, `lie ${n}`);
  }
  const behind = moved(partsOf(plain.portable), plain.size - 2_000_000 + 500_000);
  const refused: readonly (readonly [Sample, Buffer, RegExp])[] = [
    [framed, at((point) => point.writeUInt8(1, 22)), /a point that can be none/],
    [framed, at((point) => point.writeUInt16LE(1, 20)), /a point that can be none/],
    [framed, at((point) => point.writeUInt32LE(1, 16)), /a point that can be none/],
    [plain, behind, /cannot inflate to|not before the TOC/],
    [plain, Buffer.concat([plain.portable, Buffer.alloc(1)]), /the index has bytes behind its windows/],
    [plain, withNumber(plain.portable, 16, 2), /nothing can be decoded from before byte/],
  ];
  for (const [{ size }, bytes, message] of refused) {
    await t.throwsAsync(taken(bytes, size), { code: 'CRFS_BAD_LAYER', message });
  }
});

test('an index is of no use where a frame of zstd is large', async (t) => {
  const large = join(place, 'large.tar');
  writeTar(large, [
    { name: 'zeros', content: Buffer.alloc(33 << 20) },
    { name: 'behind', content: 'content' },
  ]);
  const one = await sampleOf(readFileSync(large), 'plain zstd');
  t.false(isOfUse(one.own.index));
  t.true(isOfUse((await sampleOf(readFileSync(large), 'plain zstd, in frames')).own.index));
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
