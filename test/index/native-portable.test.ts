// SPDX-License-Identifier: GPL-3.0-or-later

/** Portable indexes that are read natively: to what TypeScript makes of them, byte for byte, or to nothing. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { BlobSource } from '../../src/main/blob/source.js';
import type { Form } from '../../src/main/formats/decode.js';
import type { Layer } from '../../src/main/formats/format.js';
import { encodeHeader, HEADER_BYTES, POINT_BYTES } from '../../src/main/formats/portable/layout.js';
import { indexedLayer } from '../../src/main/formats/portable/read.js';
import { buildIndex } from '../../src/main/index/build.js';
import { portableIndex } from '../../src/main/index/portable.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { layerIn } from '../../src/main/plain/compressed.js';
import { uncompressed } from '../../src/main/plain/uncompressed.js';
import { gzip, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { buildAs, natively } from '../tools/native-index.js';
import { joined, type Parts, partsOf, withPoint } from '../tools/portable-parts.js';
import { type TarEntry, tarEnd, tarEntry } from '../tools/tar-writer.js';

const SPAN = 64 << 10;
const ROUNDS = process.env['CRFS_TEST_LONG'] ? 20_000 : 300;
const LIMITS = { memoryLimit: 2 ** 30, blobIdentity: 'blob' };

const place = mkdtempSync(join(tmpdir(), 'crfs-native-portable-'));
process.once('exit', () => rmSync(place, { recursive: true }));

function sourceOf(bytes: Buffer): BlobSource {
  const read: BlobSource['read'] = async (offset, length) => bytes.subarray(offset, offset + length);
  return { name: 'layer', size: bytes.length, read, close: async () => undefined };
}

/** What `make` leaves at the path that it is given. */
async function written(make: (path: string) => Promise<unknown>): Promise<Buffer> {
  const path = join(place, 'index');
  try {
    await make(path);
    return readFileSync(path);
  } finally {
    rmSync(path, { force: true });
  }
}

interface Sample {
  /** Bytes of the blob. */
  readonly size: number;
  readonly portable: Buffer;
}

async function sampleOf(blob: Buffer, form: Form): Promise<Sample> {
  const source = sourceOf(blob);
  const layer = form === 'none' ? await uncompressed.recognise(source) : layerIn(source, form, SPAN);
  const index = await written((path) => buildIndex({ layer: layer as Layer, path, ...LIMITS }));
  return { size: blob.length, portable: await portableIndex(new IndexReader(new Uint8Array(index)), blob.length) };
}

/** Whether one was made natively. Throws CRFS_BAD_LAYER where none is to be made, and where what was made differs. */
async function isNative({ size, portable }: Sample): Promise<boolean> {
  const layer = await indexedLayer({ name: 'layer', size }, sourceOf(portable));
  const native = await natively(layer, portable, LIMITS);
  await written((path) => buildAs(native, { layer, path, ...LIMITS }));
  return native !== undefined;
}

const ENTRIES: readonly TarEntry[] = [
  { name: './', type: '5', mode: 0o755, mtime: 1_500_000_000, mtimeNsec: 120_000_000 },
  { name: 'a/', type: '5', mode: 0o1777, xattrs: { 'user.d': 'of a directory' } },
  { name: 'a/text', content: text(60_000), uid: 1000, gid: 2 ** 32 - 2 },
  { name: 'a/noise', content: noise(40_000), mode: 0o4755, xattrs: { 'user.f': noise(300), 'user.e': '' } },
  { name: 'a/empty', content: '' },
  { name: 'a/link', type: '1', linkname: 'a/text' },
  { name: 'b/first by its name', type: '1', linkname: 'a/text' },
  { name: 'b/symlink', type: '2', linkname: '../a/nowhere', mtime: -5 },
  { name: 'b/tty', type: '3', devmajor: 4, devminor: 64 },
  { name: 'b/disk', type: '4', devmajor: 8, devminor: 1 },
  { name: 'b/fifo', type: '6' },
  { name: 'b/.wh.gone', content: '' },
  { name: '日本語/🐳', content: text(100) },
  ...Array.from({ length: 20 }, (_, i) => ({ name: `many/${i}`, content: noise(5000, i + 2) })),
  { name: 'large', content: Buffer.alloc(5 << 20, 'of two chunks\n') },
];
const TAR = Buffer.concat([...ENTRIES.map((entry) => tarEntry(entry)), tarEnd]);

/** In parts of their own, as pigz and pzstd write them. */
function inParts(pack: (part: Buffer) => Buffer): Buffer {
  const starts = Array.from({ length: Math.ceil(TAR.length / (1 << 20)) }, (_, n) => n << 20);
  return Buffer.concat(starts.map((start) => pack(TAR.subarray(start, start + (1 << 20)))));
}

const samples = {
  gzip: sampleOf(gzip(TAR), 'gzip'),
  'gzip in several members': sampleOf(inParts(gzip), 'gzip'),
  'zstd in several frames': sampleOf(inParts(zstd), 'zstd'),
  'a tar as it is': sampleOf(TAR, 'none'),
};

for (const [what, sample] of Object.entries(samples)) {
  test(`a portable index is read natively, of ${what}`, async (t) => {
    const { portable } = await sample;
    const { header } = partsOf(portable);
    t.true(header.form === 'none' || header.points > 2);
    t.true(await isNative(await sample));
  });
}

/** The sample with something else in it. */
function changed({ size, portable }: Sample, change: (parts: Parts) => Partial<Parts>): Sample {
  const parts = partsOf(portable);
  return { size, portable: joined({ ...parts, ...change(parts) }) };
}

test('leaves to TypeScript a portable index in which something is unusual, or wrong', async (t) => {
  const sample = await samples.gzip;
  const withField = (field: string): Sample =>
    changed(sample, ({ toc }) => ({ toc: toc.replace('"name":"a/empty"', `"name":"a/empty",${field}`) }));
  t.true(await isNative(withField('"more":"than others"')));
  for (const field of ['"chunkType":""', '"more":{}', '"name":"a/text"']) t.false(await isNative(withField(field)));
  const refused = { code: 'CRFS_BAD_LAYER' };
  await t.throwsAsync(isNative(withField(`"more":"${'x'.repeat(1 << 20)}"`)), refused, 'an entry is too large');
  await t.throwsAsync(isNative(changed(sample, ({ toc }) => ({ toc: `${toc}x` }))), refused);
  const full = changed(sample, ({ toc }) => ({ toc: toc + ' '.repeat((1 << 18) - Buffer.byteLength(toc)) })); // all that is inflated at once
  const { header, points, windows } = partsOf(full.portable);
  const cut = encodeHeader({ ...header, tocBytes: header.tocBytes - 1 });
  const packed = full.portable.subarray(HEADER_BYTES, HEADER_BYTES + header.tocBytes - 1);
  await t.throwsAsync(isNative({ ...full, portable: Buffer.concat([cut, packed, points, windows]) }), refused);
  const long = withPoint(points, header.points - 1, (last) =>
    last.writeUInt32LE(last.readUInt32LE(16) + (64 << 10), 16),
  );
  const more = { points: long, windows: Buffer.concat([windows, Buffer.alloc(64 << 10)]) };
  await t.throwsAsync(isNative(changed(sample, () => more)), refused, 'a window is too long');
  const digest = `"digest":"sha256:${'0'.repeat(64)}"`;
  t.true(
    await isNative(changed(sample, ({ toc }) => ({ toc: toc.replace('"name":"large"', `"name":"large",${digest}`) }))),
  );
});

/** A generator of integers in [0, limit), the same for equal seeds. */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const NUMBERS = [0, 1, 511, 512, 2 ** 15, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53];

/** Some bytes of what is small, some numbers of the text, some of what points say, or what windows there are. */
function mutated({ size, portable }: Sample, next: (limit: number) => number): Sample {
  const parts = partsOf(portable);
  const near = (value: number): number => Math.max(0, value + next(5) - 2);
  const other = (value: number): number =>
    next(2) === 0 ? near(value) : next(2) === 0 ? (NUMBERS[next(NUMBERS.length)] as number) : next(2 * value + 2);
  const points = Buffer.from(parts.points);
  const bytes = Buffer.from(parts.toc);
  const flip = (some: Buffer, limit: number): void => {
    some[next(limit)] = next(256);
  };
  switch (next(parts.header.points > 0 ? 5 : 3)) {
    case 0: {
      const copy = Buffer.from(portable);
      flip(copy, next(2) === 0 ? HEADER_BYTES : copy.length);
      return { size: next(4) === 0 ? near(size) : size, portable: copy };
    }
    case 1: {
      const numbers = [...parts.toc.matchAll(/(?<=:)\d+/g)];
      const { 0: number, index } = numbers[next(numbers.length)] as RegExpExecArray;
      const toc = `${parts.toc.slice(0, index)}${other(Number(number))}${parts.toc.slice(index + number.length)}`;
      return { size, portable: joined({ ...parts, toc }) };
    }
    case 2:
      flip(bytes, bytes.length);
      return { size, portable: joined({ ...parts, toc: bytes }) };
    case 3: {
      const at = next(parts.header.points) * POINT_BYTES;
      const field = next(4);
      if (field < 2) {
        points.writeBigUInt64LE(BigInt(other(Number(points.readBigUInt64LE(at + field * 8)))), at + field * 8);
      } else {
        flip(points.subarray(at + 16), 8);
      }
      return { size, portable: joined({ ...parts, points }) };
    }
    default: {
      const first = next(parts.header.points);
      const left = Buffer.concat([points.subarray(0, first * POINT_BYTES), points.subarray((first + 1) * POINT_BYTES)]);
      return {
        size,
        portable: joined({ ...parts, points: left, windows: parts.windows.subarray(windowBytes(points, first)) }),
      };
    }
  }
}

function windowBytes(points: Buffer, number: number): number {
  return points.readUInt32LE(number * POINT_BYTES + 16);
}

test('a portable index with anything changed comes to the same natively, or to nothing', async (t) => {
  const all = await Promise.all(Object.values(samples));
  const outcomes = { native: 0, 'not native': 0, refused: 0 };
  for (let seed = 0; seed < ROUNDS; seed++) {
    const sample = mutated(all[seed % all.length] as Sample, random(seed));
    try {
      outcomes[(await isNative(sample)) ? 'native' : 'not native']++;
    } catch (error) {
      t.is((error as { code?: string }).code, 'CRFS_BAD_LAYER', `seed ${seed}: ${(error as Error).message}`);
      outcomes.refused++;
    }
  }
  t.log(`${ROUNDS} seeds from 0 on: ${JSON.stringify(outcomes)}`);
  t.true(outcomes.native > ROUNDS / 10);
  t.true(outcomes.refused > ROUNDS / 10);
});
