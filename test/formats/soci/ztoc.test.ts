// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers by an index of SOCI: what is read by one is what is in the layer; what lies is refused, or ends in an error. */

import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { BlobSource } from '../../../src/main/blob/source.js';
import { layerByIndex } from '../../../src/main/formats/by-index.js';
import type { Layer } from '../../../src/main/formats/format.js';
import { recognise } from '../../../src/main/formats/recognise.js';
import { buildIndex, type IndexSummary } from '../../../src/main/index/build.js';
import { IndexReader } from '../../../src/main/index/reader.js';
import { plainFormats } from '../../../src/main/plain/plain.js';
import { openFileSource } from '../../../src/main/sources/file.js';
import { decoderOf } from '../../../src/workers/decode/decoders.js';
import { MemberReader } from '../../../src/workers/decode/member-reader.js';
import { sameBytes } from '../../tools/bytes.js';
import { gzip } from '../../tools/compressed-stream.js';
import { noise, text } from '../../tools/content.js';
import { entriesOf } from '../../tools/index-facts.js';
import { nastyLayer } from '../../tools/nasty-layer.js';
import { once } from '../../tools/once.js';
import { writeTar } from '../../tools/tar-writer.js';
import { type ZtocParts, ztocOf, ztocParts } from '../../tools/ztoc.js';

const SPAN = 64 << 10;
const LIES = process.env['CRFS_TEST_LONG'] ? 5000 : 300;
const CHECKPOINT = 17 + (32 << 10);

const place = mkdtempSync(join(tmpdir(), 'crfs-soci-'));
process.once('exit', () => rmSync(place, { recursive: true }));
let made = 0;

interface Indexed {
  readonly index: IndexReader;
  readonly summary: IndexSummary;
}

async function indexOf(layer: Layer): Promise<Indexed> {
  const path = join(place, `index-${made++}`);
  const summary = await buildIndex({ layer, path, memoryLimit: 2 ** 28, blobIdentity: 'blob' });
  return { index: new IndexReader(new Uint8Array(readFileSync(path))), summary };
}

async function byZtoc(bytes: Buffer, size: number): Promise<Indexed> {
  const read: BlobSource['read'] = async (offset, length) => bytes.subarray(offset, offset + length);
  const index = { name: 'ztoc', size: bytes.length, read, close: async () => undefined };
  return await indexOf(await layerByIndex({ name: 'layer', size }, index, 'soci'));
}

/** The content of all files, by their paths; of one that cannot be had, the code of the error. */
function contents(blob: string, { index }: Indexed): Map<string, Buffer | string> {
  const layer = { index, blobFd: openSync(blob, 'r'), tocOffset: readFileSync(blob).length, isFinal: () => true };
  const members = new MemberReader(
    (codec) => decoderOf(codec, 'libdeflate'),
    () => undefined,
  );
  const contentOf = (inode: number): Buffer | string => {
    const chunks = Array.from({ length: index.chunkCount(inode) }, (_, n) => index.chunkFirst(inode) + n);
    try {
      return Buffer.concat(
        chunks.flatMap((chunk) => Array.from(members.pieces(layer, chunk), (part) => Buffer.from(part))),
      );
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  };
  const files = [...entriesOf(index)].filter(({ inode }) => index.isFile(inode));
  return new Map(files.map(({ path, inode }) => [path, contentOf(inode)]));
}

/** All that a mount shows but content. */
function treeIn({ index }: Indexed): Map<string, string> {
  const facts = (n: number): object => ({
    numbers: [index.mode(n), index.size(n), index.uid(n), index.gid(n), index.nlink(n)],
    time: [index.mtimeSeconds(n), index.mtimeNanoseconds(n)],
    target: index.isSymlink(n) ? index.target(n) : '',
    device: index.isFile(n) || index.isDirectory(n) ? [] : [index.major(n), index.minor(n)],
    xattrs: index.xattrs(n).map(({ name, value }) => [name, Buffer.from(value).toString('hex')]),
  });
  const entries = [{ path: '', inode: 0 }, ...entriesOf(index)];
  return new Map(entries.map(({ path, inode }) => [path, JSON.stringify(facts(inode))]));
}

/** What is not the same in both, but for some paths. */
function differing<Value extends string | Buffer>(
  found: ReadonlyMap<string, Value>,
  expected: ReadonlyMap<string, Value>,
  left: ReadonlySet<string>,
): string[] {
  const paths = [...new Set([...found.keys(), ...expected.keys()])].filter((path) => !left.has(path));
  return paths
    .filter((path) => String(found.get(path)) !== String(expected.get(path)))
    .map(
      (path) =>
        `${path}: ${String(found.get(path)).slice(0, 300)}, expected ${String(expected.get(path)).slice(0, 300)}`,
    );
}

/** A file with holes: SOCI does not tell where its data is. */
function isSparse([, , , , , , , , , , , records]: ZtocParts['members'][number]): boolean {
  return Object.keys(records).some((key) => key.startsWith('GNU.sparse.'));
}

interface Sample {
  readonly blob: string;
  readonly size: number;
  readonly parts: ZtocParts;
}

async function sampleOf(tar: string, form: 'gzip' | 'none' = 'gzip'): Promise<Sample> {
  const blob = join(place, `blob-${made++}`);
  const bytes = form === 'gzip' ? gzip(readFileSync(tar)) : readFileSync(tar);
  writeFileSync(blob, bytes);
  return { blob, size: bytes.length, parts: await ztocParts(tar, blob, SPAN, form) };
}

const files = once(async () => {
  const tar = join(place, 'files.tar');
  writeTar(tar, [
    { name: 'a', content: text(500_000) },
    { name: 'b', content: noise(9 << 20) },
    { name: 'c', content: Buffer.concat([noise(100), text(200_000)]) },
  ]);
  return await sampleOf(tar);
});

test('what is read by a zTOC is what is in the layer, of a nasty tar too', async (t) => {
  const { tar } = await nastyLayer();
  for (const form of ['gzip', 'none'] as const) {
    const { blob, size, parts } = await sampleOf(tar, form);
    const source = openFileSource(blob);
    const own = await indexOf(await recognise(source, undefined, plainFormats('index', undefined)));
    await source.close();
    const [sparse, members] = [true, false].map((is) => parts.members.filter((one) => isSparse(one) === is));
    const taken = await byZtoc(ztocOf({ ...parts, members: members ?? [] }), size);
    const left = new Set(sparse?.map(([name]) => name));
    t.true(left.size > 0);
    t.deepEqual(differing(treeIn(taken), treeIn(own), left), []);
    t.deepEqual(differing(contents(blob, taken), contents(blob, own), left), []);
    t.like(taken.summary, { kind: `${own.summary.kind}, by an index in its registry`, unverified: true });
  }
});

test('files of several chunks are read from the checkpoint before each', async (t) => {
  const { blob, size, parts } = await files();
  t.true(parts.checkpoints.readInt32LE() > 20);
  const taken = await byZtoc(ztocOf(parts), size);
  const read = contents(blob, taken);
  sameBytes(t, Buffer.from(read.get('b') ?? ''), noise(9 << 20));
  t.is(taken.index.chunkCount([...entriesOf(taken.index)].find(({ path }) => path === 'b')?.inode ?? 0), 3);
});

test('a zTOC that breaks a rule is refused by it', async (t) => {
  const { size, parts } = await files();
  const [first, second] = parts.members;
  if (first === undefined || second === undefined) throw new Error('there are files');
  const withFirst = (field: number, value: unknown): Buffer =>
    ztocOf({ ...parts, members: [first.with(field, value as string) as unknown as typeof first, second] });
  const withCheckpoint = (change: (one: Buffer) => void): Buffer => {
    const checkpoints = Buffer.from(parts.checkpoints);
    change(checkpoints.subarray(12 + 3 * CHECKPOINT));
    return ztocOf({ ...parts, checkpoints });
  };
  const old = Buffer.concat([parts.checkpoints.subarray(0, 12), parts.checkpoints.subarray(12 + CHECKPOINT)]);
  const later = Buffer.from(parts.checkpoints);
  later.writeBigInt64LE(1n, 12 + 8);
  const wrong: readonly (readonly [Buffer, RegExp])[] = [
    [Buffer.alloc(0), /its index is damaged/],
    [Buffer.alloc((16 << 20) + Math.ceil(size / 8) + 1), /its index has \d+ bytes, more than \d+/],
    [noise(1000), /its index/],
    [ztocOf({ ...parts, blobSize: size + 1 }), /its index is of a blob of \d+ bytes, not \d+/],
    [ztocOf({ ...parts, tarSize: size * 2000 }), /its index is of a tar of \d+ bytes in a blob of \d+/],
    [ztocOf({ ...parts, tarSize: first[3] }), /checkpoints of its index do not follow each other/],
    [ztocOf({ ...parts, checkpoints: old }), /its index lacks its first checkpoint/],
    [ztocOf({ ...parts, checkpoints: parts.checkpoints.subarray(0, -1) }), /lacks its first checkpoint.*or is damaged/],
    [withCheckpoint((one) => one.writeUInt8(8, 16)), /checkpoints of its index do not follow each other/],
    [withCheckpoint((one) => one.writeBigInt64LE(0n)), /checkpoints of its index do not follow each other/],
    [withCheckpoint((one) => one.writeBigInt64LE(0n, 8)), /checkpoints of its index do not follow each other/],
    [withCheckpoint((one) => one.writeBigInt64LE(BigInt(size + 1))), /checkpoints of its index do not follow/],
    [withFirst(1, 'chunk'), /its index has a file of type chunk/],
    [withFirst(1, 'socket'), /type is "socket"/],
    [ztocOf({ ...parts, checkpoints: later }), /the first checkpoint of its index is not at the start/],
    [withFirst(0, 'a'.repeat(9000)), /its index has a text of 9000 bytes, more than 8190/],
    [withFirst(11, { ['k'.repeat(9000)]: '' }), /its index has a text of 9000 bytes, more than 8190/],
    [withFirst(0, '../a'), /entry "..\/a"/],
    [withFirst(2, second[2]), /its content is not behind that of the file before it, or leaves the tar/],
    [withFirst(3, 2 ** 40), /its content is not behind that of the file before it, or leaves the tar/],
    [
      ztocOf({ ...parts, members: [first, second.with(3, size * 1000) as unknown as typeof second] }),
      /or leaves the tar/,
    ],
    [withFirst(11, { 'GNU.sparse.major': '1' }), /where the data of a file with holes is/],
    [withFirst(11, { 'SCHILY.xattr.user.a': 'x'.repeat(70_000) }), /xattr "user.a" has 70000 bytes/],
  ];
  for (const [bytes, why] of wrong) {
    const error = await t.throwsAsync(byZtoc(bytes, size), { code: 'CRFS_BAD_LAYER' }, String(why));
    t.regex(error?.message ?? '', why);
  }
});

test('parts that share their bytes make no work out of nothing', async (t) => {
  const { size, parts } = await files();
  const member = parts.members[0];
  if (member === undefined) throw new Error('there are files');
  const count = 2000;
  const records = Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      `${n === 0 ? 'SCHILY.xattr.user.k' : 'k'}${n}`,
      n === 0 ? text(10_000).toString() : '',
    ]),
  );
  const bytes = ztocOf({ ...parts, members: [member.with(11, records) as unknown as typeof member] });
  const places = bytes.lastIndexOf(Buffer.from(Uint32Array.of(count).buffer)) + 4; // what is made first stands last
  t.is((await byZtoc(bytes, size)).index.inodes, 2);
  const first = places + bytes.readUInt32LE(places);
  for (let n = 1; n < count; n++) bytes.writeUInt32LE(first - (places + n * 4), places + n * 4);
  await t.throwsAsync(byZtoc(bytes, size), { code: 'CRFS_BAD_LAYER', message: /parts of its index share their bytes/ });
});

test('a zTOC with anything changed comes to an index, or to nothing; and to no error but that of a broken layer', async (t) => {
  const { size, parts } = await files();
  const whole = ztocOf({ ...parts, checkpoints: parts.checkpoints.subarray(0, 12 + CHECKPOINT) });
  whole.writeInt32LE(1, whole.indexOf(parts.checkpoints.subarray(4, 40)) - 4);
  const seed = Date.now() % 1e6;
  t.log(`seed ${seed}`);
  const random = noise(LIES * 8, seed % 256);
  for (let n = 0; n < LIES; n++) {
    const bytes = Buffer.from(whole);
    // outside of the window: 32 KiB in which nothing is to be found
    const at = random.readUInt32LE(n * 8) % bytes.length;
    bytes.writeUInt8((random[n * 8 + 4] as number) & 255, at);
    if (n % 3 === 0) bytes.writeUInt32LE(random.readUInt32LE(n * 8 + 4), Math.min(at & ~3, bytes.length - 4));
    const cut = n % 5 === 0 ? bytes.subarray(0, at) : bytes;
    const error = await byZtoc(cut, size).then(
      () => undefined,
      (failed: unknown) => failed as { code?: string; message: string },
    );
    if (error !== undefined) t.is(error.code, 'CRFS_BAD_LAYER', `${seed}: ${n}: ${error.message}`);
  }
});
