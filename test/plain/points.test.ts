// SPDX-License-Identifier: GPL-3.0-or-later

/** Restart points of gzip streams, held against what the programs that wrote them read. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { constants, createGzip, gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { BlobSource } from '../../src/main/blob/source.js';
import { GZIP_POINTS, ZSTD } from '../../src/main/formats/codec.js';
import { type Point, Points, type Restart } from '../../src/main/formats/points.js';
import { FirstRead } from '../../src/main/plain/first-read.js';
import { unpacked } from '../../src/main/plain/unpack.js';
import { addon, type StreamForm } from '../../src/native/addon.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { engineNames } from '../../src/workers/engine-names.js';
import { sameBytes } from '../tools/bytes.js';
import { gzip, gzipWithAllFields, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';

const SPAN = 16 << 10;
const READS = process.env['CRFS_TEST_LONG'] ? 10_000 : 200;
const decoder = decoderOf(GZIP_POINTS.number, 'libdeflate');

const MIXED = Buffer.concat([text(300_000), noise(150_000), Buffer.alloc(700_000), text(200_000), noise(50_000, 2)]);
const EMPTY = gzip(Buffer.alloc(0));

const streams: Readonly<Record<string, Buffer>> = {
  'gzip -1': gzip(MIXED, '-1'),
  'gzip -9': gzip(MIXED, '-9'),
  'gzip with all fields of a header': gzipWithAllFields(MIXED),
  'pigz, of independent blocks': spawnSync('pigz', ['-c', '-i', '-b', '128', '-p', '2'], { input: MIXED }).stdout,
  'pigz -9': spawnSync('pigz', ['-c', '-9'], { input: MIXED }).stdout,
  'libdeflate at its best': packed(MIXED, 12),
  'stored blocks': gzipSync(MIXED, { level: 0 }),
  'fixed codes, in a single block': gzipSync(text(100_000), { strategy: constants.Z_FIXED, memLevel: 9 }),
  'runs of bytes': gzipSync(Buffer.alloc(3_000_000), { strategy: constants.Z_RLE }),
  'several members': Buffer.concat([gzip(text(70_000)), gzip(noise(3000), '-1'), EMPTY, gzip(MIXED), gzip(text(10))]),
  'many small members': Buffer.concat(Array.from({ length: 500 }, (_, n) => gzipSync(text(n * 3)))),
  'what follows the members is garbage': Buffer.concat([gzip(MIXED), noise(1000)]),
  'nothing at all': EMPTY,
};

function packed(content: Buffer, level: number): Buffer {
  const room = Buffer.alloc(addon.deflateBound(content.length));
  return room.subarray(0, addon.deflate(content, room, level));
}

function sourceOf(bytes: Buffer): BlobSource {
  const read: BlobSource['read'] = async (offset, length) => bytes.subarray(offset, offset + length);
  return { name: 'blob', size: bytes.length, read, close: async () => undefined };
}

interface Passed {
  readonly content: Buffer;
  readonly points: Points;
}

async function pass(bytes: Buffer, span = SPAN, form: StreamForm = 'gzip'): Promise<Passed> {
  const points = new Points();
  const pieces: Uint8Array[] = [];
  const passing = unpacked(sourceOf(bytes), { form, points, span, hash: createHash('sha256'), read: new FirstRead() });
  for await (const piece of passing) pieces.push(Buffer.from(piece));
  return { content: Buffer.concat(pieces), points };
}

/** What a blob in gzip decodes to, piece by piece. */
function piecesOf(blob: BlobSource): AsyncGenerator<Uint8Array> {
  return unpacked(blob, {
    form: 'gzip',
    points: new Points(),
    span: SPAN,
    hash: createHash('sha256'),
    read: new FirstRead(),
  });
}

function restartAt({ bit, window, windowSize }: Point): Restart {
  const whole = Buffer.alloc(windowSize);
  if (windowSize > 0 && addon.inflate(window, whole) !== windowSize) throw new Error('a window does not inflate');
  return { bit, window: whole };
}

/** Bytes [offset, offset + length) of what a stream holds, from the last point before them on. */
function readAt(bytes: Buffer, points: Points, offset: number, length: number, by = decoder): Buffer {
  const point = points.before(offset);
  const inner = offset - point.outOffset;
  const end = Math.min(bytes.length, points.endOf(point.offset, inner + length));
  const output = Buffer.alloc(inner + length);
  const made = by.decode(bytes.subarray(point.offset, end), output, restartAt(point));
  return output.subarray(inner, made);
}

/** Numbers from 0 to 1, the same ones each time. */
function* randoms(): Generator<number> {
  for (let seed = 1; ; ) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    yield seed / 2 ** 32;
  }
}

for (const [what, bytes] of Object.entries(streams)) {
  test(`any bytes can be read from the last point before them: ${what}`, async (t) => {
    const { content, points } = await pass(bytes);
    const oracle = spawnSync('gzip', ['-dcq'], { input: bytes, maxBuffer: 2 ** 30 }).stdout;
    sameBytes(t, content, oracle);
    checkSpans(t, points);
    const random = randoms();
    const next = (limit: number): number => Math.floor((random.next().value as number) * limit);
    for (let n = 0; n < READS && content.length > 0; n++) {
      const offset = next(content.length);
      const length = Math.min(content.length - offset, 1 + next(n % 10 === 0 ? 200_000 : 4096));
      const found = readAt(bytes, points, offset, length);
      if (!found.equals(content.subarray(offset, offset + length))) t.fail(`${length} bytes at ${offset}`);
    }
  });
}

/** Points stand at least a span apart, and rise in the blob; the first stands before all content. */
function checkSpans(t: ExecutionContext, { list }: Points): void {
  for (const [n, point] of list.entries()) {
    const before = list[n - 1];
    if (before === undefined) t.is(point.outOffset, 0);
    else if (point.outOffset < before.outOffset + SPAN || point.offset <= before.offset) t.fail(`point ${n}`);
  }
}

test('of zstd, points are where frames begin, however large they are', async (t) => {
  const skippable = Buffer.concat([Buffer.from('5a2a4d1803000000', 'hex'), Buffer.from('abc')]);
  const parts = Array.from({ length: 40 }, (_, n) => (n % 3 === 0 ? noise(9000, n) : text(n * 700)));
  const frames = parts.map((part, n) => zstd(part, n % 2 === 0 ? '-1' : '-19'));
  const bytes = Buffer.concat([skippable, ...frames.slice(0, 9), skippable, ...frames.slice(9)]);
  const whole = Buffer.concat(parts);
  const { content, points } = await pass(bytes, SPAN, 'zstd');
  sameBytes(t, content, whole);
  checkSpans(t, points);
  t.true(points.list.length > 10);
  const libzstd = decoderOf(ZSTD.number, 'libdeflate');
  for (let offset = 0; offset < whole.length; offset += 3001) {
    t.true(readAt(bytes, points, offset, 100, libzstd).equals(whole.subarray(offset, offset + 100)));
  }
  const large = await pass(Buffer.concat([zstd(text(20_000)), zstd(noise(3 << 20)), zstd(text(10))]), SPAN, 'zstd');
  t.deepEqual(
    large.points.list.map(({ outOffset }) => outOffset),
    [0, 20_000, 20_000 + (3 << 20)],
  );
});

test('all of the last block of zstd is handed on, where it does not fit into what is handed on at once', async (t) => {
  const [before, last] = [text(120_000), text(7 * 131_072 + 60_000)]; // its last block lies over the end of the first MiB
  const bytes = Buffer.concat([zstd(before), zstd(last, '--no-check')]);
  sameBytes(t, (await pass(bytes, SPAN, 'zstd')).content, Buffer.concat([before, last]));
});

test('a stream of blocks has a point in each span, and windows take little', async (t) => {
  const whole = text(12 << 20);
  const { content, points } = await pass(gzip(whole), 1 << 20);
  sameBytes(t, content, whole);
  t.true(points.list.length >= 11 && points.list.length <= 12);
  t.is(
    points.windowBytes,
    points.list.reduce((sum, { window }) => sum + window.length, 0),
  );
  t.true(points.windowBytes < 12 * 16_384);
  t.true(
    points.list.some(({ bit }) => bit > 0),
    'points within bytes were tried',
  );
});

test('of a window, what is copied from later is kept, and zeros for all else', async (t) => {
  const before = Buffer.from(noise(40_000).map((byte) => byte | 1)); // no zeros
  const copied = [
    [9000, 100],
    [23_600, 300],
    [39_000, 700],
    [37_000, 800],
  ] as const;
  const copies = copied.map(([from, length]) => before.subarray(from, from + length));
  const [first, second, third, late] = copies as [Buffer, Buffer, Buffer, Buffer];
  const behind = [Buffer.concat([first, second, third]), noise(20_000, 2), late, noise(40_000, 3), third];
  const { points } = await pass(await flushedBetween(before, ...behind), 39_000);
  const [, point] = points.list;
  t.is(point?.outOffset, before.length);
  const kept = Buffer.alloc(32_768);
  for (const [from, length] of copied) before.copy(kept, from - 7232, from, from + length);
  sameBytes(t, Buffer.from(restartAt(point as Point).window), kept);
});

/** A gzip member in which a block ends behind each of the parts, and others may copy from it. */
async function flushedBetween(...parts: readonly Uint8Array[]): Promise<Buffer> {
  const stream = createGzip({ level: 9 });
  const whole = buffer(stream);
  for (const part of parts) {
    stream.write(part);
    await new Promise<void>((resolve) => {
      stream.flush(constants.Z_PARTIAL_FLUSH, resolve);
    });
  }
  stream.end();
  return await whole;
}

test('all engines begin at points alike', (t) => {
  for (const name of engineNames) t.is(decoderOf(GZIP_POINTS.number, name), decoder);
});

test('a stream is decoded from a point in pieces of any size, over the ends of members', async (t) => {
  const bytes = streams['several members'] as Buffer;
  const { content, points } = await pass(bytes, 1);
  const some = points.list.filter((_, n) => n % 5 === 0);
  t.true(some.length > 2);
  for (const point of some) {
    const decoding = decoder.begin(restartAt(point));
    const room = Buffer.alloc(777);
    const found: Buffer[] = [];
    for (let at = point.offset; at < bytes.length; at += 101) {
      for (let rest: Uint8Array = bytes.subarray(at, at + 101), made = room.length; rest.length > 0 || made === 777; ) {
        let used: number;
        [used, made] = decoding.step(rest, room);
        found.push(Buffer.from(room.subarray(0, made)));
        rest = rest.subarray(used);
      }
    }
    decoding.close();
    sameBytes(t, Buffer.concat(found), content.subarray(point.outOffset));
  }
});

const sound = gzip(MIXED);
const damages: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  'is cut short': [sound.subarray(0, -10), /^its gzip stream ends too early$/],
  'is cut within its checksum': [sound.subarray(0, -3), /^its gzip stream ends too early$/],
  'has a wrong checksum': [flipped(sound, sound.length - 6), /^its gzip stream cannot be decoded: /],
  'has a wrong length': [flipped(sound, sound.length - 2), /^its gzip stream cannot be decoded: /],
  'has a wrong header': [flipped(sound, 2), /^its gzip stream cannot be decoded: /],
  'has a second member that is damaged': [
    Buffer.concat([sound, flipped(sound, 30_000)]),
    /^its gzip stream cannot be decoded: /,
  ],
};

for (const [what, [bytes, message]] of Object.entries(damages)) {
  test(`a stream that ${what} is refused`, async (t) => {
    await t.throwsAsync(() => pass(bytes), { message });
  });
}

test('a blob that cannot be read on is why a pass over it fails', async (t) => {
  const bytes = gzip(noise(5 << 20));
  const whole = sourceOf(bytes);
  const blob: BlobSource = {
    ...whole,
    read: async (offset, length) => {
      if (offset > 2 << 20) throw new Error('it is gone');
      return await whole.read(offset, length);
    },
  };
  const read = async (): Promise<void> => {
    for await (const piece of piecesOf(blob)) t.true(piece.length > 0);
  };
  await t.throwsAsync(read, { message: 'it is gone' });
});

test('a pass that is left reads no more of its blob', async (t) => {
  let bytesRead = 0;
  const whole = sourceOf(gzip(noise(30 << 20)));
  const blob: BlobSource = {
    ...whole,
    read: async (offset, length) => {
      bytesRead += length;
      return await whole.read(offset, length);
    },
  };
  const pieces = piecesOf(blob);
  await pieces.next();
  await pieces.return(undefined);
  t.true(bytesRead < 20 << 20, `${bytesRead} bytes were read`);
});

test('a wrong bit or window gives an error or other bytes, and never leaves its memory', async (t) => {
  const { points } = await pass(sound);
  const output = Buffer.alloc(SPAN * 2);
  let differed = 0;
  for (const point of points.list) {
    const right = restartAt(point);
    for (const wrong of [
      { ...right, bit: (right.bit + 1) % 8 },
      { ...right, window: right.window.subarray(1000) },
      { ...right, window: Buffer.alloc(0) },
    ]) {
      try {
        decoder.decode(sound.subarray(point.offset), output, wrong);
      } catch (error) {
        t.is((error as { code?: string }).code, 'CRFS_BAD_LAYER');
        differed++;
      }
    }
  }
  t.true(differed > 0);
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 4, at);
  return copy;
}
