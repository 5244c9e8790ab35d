// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes of plain layers: what is read by them, and what lies in them. */

import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { GZIP_POINTS } from '../../src/main/formats/codec.js';
import { recognise } from '../../src/main/formats/recognise.js';
import { buildIndex } from '../../src/main/index/build.js';
import { checkDigest } from '../../src/main/index/check-digest.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { layerIn } from '../../src/main/plain/compressed.js';
import { plainFormats } from '../../src/main/plain/plain.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { addon, type StreamForm } from '../../src/native/addon.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { MemberReader, type StoredLayer } from '../../src/workers/decode/member-reader.js';
import { gzip, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { sha256 } from '../tools/read-layer.js';
import { run } from '../tools/run.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';

const SPAN = 64 << 10;
const { index: HEADER, table: TABLE, point: POINT, chunk: CHUNK } = addon.layout;

const place = mkdtempSync(join(tmpdir(), 'crfs-plain-'));
process.once('exit', () => rmSync(place, { recursive: true }));

const files: Readonly<Record<string, Buffer>> = {
  a: text(500_000),
  b: noise(5 << 20),
  c: Buffer.alloc(300_000),
  d: text(7),
  e: Buffer.concat([noise(100), text(200_000)]),
};

interface Indexed {
  readonly blob: string;
  readonly index: Buffer;
}

async function indexed(name: string, tar: Buffer, form: StreamForm = 'gzip'): Promise<Indexed> {
  const blob = join(place, `${name}.${form}`);
  writeFileSync(blob, form === 'gzip' ? gzip(tar) : zstd(tar));
  const source = openFileSource(blob);
  const path = join(place, `${name}.index`);
  const layer = layerIn(source, form, SPAN);
  const summary = await buildIndex({ layer, path, memoryLimit: 2 ** 30, blobIdentity: name });
  await source.close();
  if (`sha256:${summary.tocDigest}` !== sha256(readFileSync(blob))) throw new Error('it is named by another digest');
  return { blob, index: readFileSync(path) };
}

function tarOf(entries: Iterable<TarEntry>): Buffer {
  const path = join(place, 'a.tar');
  writeTar(path, entries);
  return readFileSync(path);
}

const made = indexed('files', tarOf(Object.entries(files).map(([name, content]) => ({ name, content }))));

function stored(blob: string, bytes: Buffer): StoredLayer {
  const aligned = new Uint8Array(bytes);
  return {
    index: new IndexReader(aligned),
    blobFd: openSync(blob, 'r'),
    tocOffset: readFileSync(blob).length,
    isFinal: () => true,
  };
}

function membersReader(onRead: (bytes: number) => void = () => undefined): MemberReader {
  return new MemberReader((codec) => decoderOf(codec, 'libdeflate'), onRead);
}

/** The content of a chunk, checked, as a worker has it. */
function contentOf(layer: StoredLayer, chunk: number, members = membersReader()): Buffer {
  const { index } = layer;
  const bytes = members.fits(layer, chunk)
    ? members.content(layer, chunk)
    : Buffer.concat(Array.from(members.pieces(layer, chunk), (piece) => Buffer.from(piece)));
  const inode = index.chunkInode(chunk);
  checkDigest(bytes, index.chunkDigest(chunk) ?? index.fileDigest(inode) ?? Buffer.alloc(0), 'the chunk');
  return Buffer.from(bytes);
}

test('every chunk is decoded from a point before it, and is what its digest says', async (t) => {
  const { blob, index } = await made;
  const layer = stored(blob, index);
  t.is(addon.indexCheck(new Uint8Array(index)), null);
  t.is(layer.index.codec, GZIP_POINTS.number);
  t.false(layer.index.unverified);
  for (const [name, content] of Object.entries(files)) {
    const inode = layer.index.find(name);
    const first = layer.index.chunkFirst(inode);
    const chunks = Array.from({ length: layer.index.chunkCount(inode) }, (_, n) => contentOf(layer, first + n));
    t.true(Buffer.concat(chunks).equals(content), name);
  }
});

test('chunks of a single frame of zstd are read in any order, and in that of the tar without decoding it anew', async (t) => {
  const contents = Array.from({ length: 60 }, (_, n) => (n % 3 === 2 ? text(900_000 + n) : noise(300_000, n)));
  const tar = tarOf(contents.map((content, n) => ({ name: String(n), content })));
  const { blob, index } = await indexed('frame', tar, 'zstd');
  const layer = stored(blob, index);
  let read = 0;
  const members = membersReader((bytes) => {
    read += bytes;
  });
  const check = (n: number): void => {
    const chunk = layer.index.chunkFirst(layer.index.find(String(n)));
    t.true(contentOf(layer, chunk, members).equals(contents[n] as Buffer), `file ${n}`);
  };
  for (const n of contents.keys()) check(n);
  t.true(read < 2 * readFileSync(blob).length, `${read} bytes were read`);
  for (const n of [59, 58, 58, 20, 3, 59, 0, 57]) check(n);
  members.forget();
  check(59);
});

test('holes of sparse files take no bytes, in any of the forms that GNU tar writes', async (t) => {
  const directory = join(place, 'sparse');
  await run('mkdir', [directory]);
  await run('sh', [
    '-c',
    'cd "$1" && printf head >s && truncate -s 40M s && printf tail >>s && truncate -s 9M z',
    'sh',
    directory,
  ]);
  for (const form of ['--format=gnu', '--sparse-version=0.0', '--sparse-version=0.1', '--sparse-version=1.0']) {
    const tar = `${directory}${form}.tar`;
    await run('tar', [
      '-cSf',
      tar,
      ...(form.startsWith('--format') ? [form] : ['--format=pax', form]),
      '-C',
      directory,
      '.',
    ]);
    const { blob, index } = await indexed(`sparse${form}`, readFileSync(tar));
    const layer = stored(blob, index);
    const inode = layer.index.find('s');
    t.is(layer.index.size(inode), (40 << 20) + 4);
    const first = layer.index.chunkFirst(inode);
    const chunks = Array.from({ length: layer.index.chunkCount(inode) }, (_, n) => first + n);
    const data = chunks.filter((chunk) => !layer.index.isZeros(chunk));
    t.true(data.reduce((sum, chunk) => sum + layer.index.chunkSize(chunk), 0) < 1 << 20);
    t.true(
      contentOf(layer, data[0] as number)
        .toString('latin1')
        .startsWith('head'),
    );
    t.true(
      contentOf(layer, data.at(-1) as number)
        .toString('latin1')
        .endsWith('tail'),
    );
    const zeros = layer.index.find('z');
    t.true(layer.index.isZeros(layer.index.chunkFirst(zeros)));
    t.false(layer.index.unverified);
  }
});

test('a layer whose manifest names a TOC is none of these, whatever it holds', async (t) => {
  const source = openFileSource((await made).blob);
  t.teardown(() => source.close());
  t.is((await recognise(source, undefined, plainFormats('index', undefined))).kind, 'plain gzip');
  await t.throwsAsync(recognise(source, undefined, plainFormats('index', sha256(Buffer.alloc(0)))), {
    code: 'CRFS_NOT_STARGZ',
  });
});

test('what no mount can show is refused by what it is, and what no file system keeps is left out', async (t) => {
  const wrong: readonly (readonly [TarEntry, RegExp])[] = [
    [{ name: 'a', type: '3', devmajor: 4096, devminor: 1 }, /"a".* is the device 4096, 1, which Linux does not have/],
    [{ name: 'a', type: '4', devmajor: 1, devminor: 1 << 20 }, /"a".* is the device 1, 1048576/],
    [{ name: 'a', type: '2', linkname: '' }, /"a".* the target of the symlink is empty/],
    [{ name: 'a', type: '1', linkname: '../b' }, /"a".* holds a '..' part/],
    [{ name: '../a' }, /holds a '..' part/],
  ];
  for (const [entry, message] of wrong) {
    await t.throwsAsync(indexed('wrong', tarOf([entry])), { code: 'CRFS_BAD_LAYER', message });
  }
  const xattrs = { 'user.a': 'b', [`user.${'x'.repeat(300)}`]: 'c' };
  const { index } = await indexed('odd', tarOf([{ name: 'a', uid: 2 ** 32 - 1, gid: 5, mode: 0o104755, xattrs }]));
  const reader = new IndexReader(new Uint8Array(index));
  const inode = reader.find('a');
  t.deepEqual([reader.uid(inode), reader.gid(inode), reader.mode(inode) & 0o7777], [0, 5, 0o4755]);
  t.deepEqual(
    reader.xattrs(inode).map(({ name }) => name),
    ['user.a'],
  );
});

/** The index with a number of a record of a table changed. */
function damaged(
  index: Buffer,
  table: 'points' | 'chunks',
  record: number,
  field: number,
  change: (old: bigint) => bigint,
  bytes: 1 | 2 | 4 | 8,
): Uint8Array {
  const copy = Buffer.from(new Uint8Array(index));
  const size = table === 'points' ? POINT.bytes : CHUNK.bytes;
  const at = Number(copy.readBigUInt64LE(HEADER[table] + TABLE.offset)) + record * size + field;
  const whole = Buffer.alloc(8);
  copy.copy(whole, 0, at, at + bytes);
  whole.writeBigUInt64LE(BigInt.asUintN(64, change(whole.readBigUInt64LE())));
  whole.copy(copy, at, 0, bytes);
  return new Uint8Array(copy);
}

test('an index whose points or windows are out of bounds is refused by its rule', async (t) => {
  const { index } = await made;
  const rules: readonly (readonly [Uint8Array, string])[] = [
    [damaged(index, 'points', 1, POINT.offset, () => 0n, 8), 'points do not follow each other in the blob'],
    [damaged(index, 'points', 3, POINT.offset, () => 1n << 63n, 8), 'points do not follow each other in the blob'],
    [damaged(index, 'points', 2, POINT.bit, () => 8n, 1), 'a point is at no bit of its byte'],
    [damaged(index, 'points', 2, POINT.window, () => 1n << 40n, 8), 'the window of a point leaves its table'],
    [damaged(index, 'points', 2, POINT.windowLength, () => 0xffffffffn, 4), 'the window of a point leaves its table'],
    [damaged(index, 'points', 2, POINT.windowSize, () => 32_769n, 2), 'the window of a point leaves its table'],
    [damaged(index, 'chunks', 0, CHUNK.offset, (old) => old + 1n, 8), 'a chunk begins at no point'],
  ];
  for (const [bytes, rule] of rules) t.is(addon.indexCheck(bytes), `index: ${rule}`);
  const cut = Buffer.from(new Uint8Array(index));
  cut.writeBigUInt64LE(1n << 40n, HEADER.windows + TABLE.count);
  t.is(addon.indexCheck(new Uint8Array(cut)), "index: the points leave the file, or are none of its codec's");
  cut.writeUInt32LE(addon.layout.constants.codecGzip, HEADER.codec);
  t.is(addon.indexCheck(new Uint8Array(cut)), "index: the points leave the file, or are none of its codec's");
});

test('an index that lies of bits, windows, offsets or sizes gives an error, and no wrong bytes', async (t) => {
  const { blob, index } = await made;
  const points = Number(index.readBigUInt64LE(HEADER.points + TABLE.count));
  t.true(points > 20);
  let errors = 0;
  for (let point = 1; point < points; point += 16) {
    const lies = [
      damaged(index, 'points', point, POINT.bit, (old) => (old + 3n) % 8n, 1),
      damaged(index, 'points', point, POINT.windowSize, (old) => old / 2n, 2),
      damaged(index, 'points', point, POINT.window, () => 0n, 8),
      damaged(index, 'chunks', point % 5, CHUNK.inner, (old) => old + 1n, 8),
      damaged(index, 'chunks', point % 5, CHUNK.end, (old) => old - 9n, 8),
    ];
    for (const lie of lies) {
      if (addon.indexCheck(lie) !== null) continue;
      const layer = stored(blob, Buffer.from(lie.buffer));
      for (let chunk = 0; chunk < layer.index.chunks; chunk++) {
        try {
          contentOf(layer, chunk);
        } catch (error) {
          errors++;
          t.regex((error as { code: string }).code, /^CRFS_(BAD_LAYER|DIGEST)$/);
        }
      }
    }
  }
  t.true(errors > 10);
});
