// SPDX-License-Identifier: GPL-3.0-or-later

/** The decoder of zstd frames, held against the program zstd. */

import test from 'ava';
import { ZSTD } from '../../src/main/formats/codec.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { engineNames } from '../../src/workers/engine-names.js';
import { sameBytes } from '../tools/bytes.js';
import { expected, handMade, skippable, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { inPieces } from '../tools/in-pieces.js';

const decoder = decoderOf(ZSTD.number, 'libdeflate');
const MIXED = Buffer.concat([text(300_000), Buffer.alloc(200_000), noise(100_000)]);

const streams: Readonly<Record<string, Buffer>> = {
  'the fastest level': zstd(MIXED, '--fast=5'),
  'level 1': zstd(MIXED, '-1'),
  'level 10, without a checksum': zstd(MIXED, '-10', '--no-check'),
  'level 19, in a long window': zstd(MIXED, '-19', '--long=27'),
  'several frames': Buffer.concat([zstd(text(1000)), zstd(noise(5000)), zstd(Buffer.alloc(0)), zstd(text(70_000))]),
  'frames that are skipped': Buffer.concat([skippable(noise(100)), zstd(text(1000)), skippable(noise(0), 15)]),
  'blocks of one byte': handMade([{ run: 1 << 17 }, Buffer.from('raw'), { run: 5 }]),
};

for (const [what, stream] of Object.entries(streams)) {
  const { bytes, error } = expected('zstd', stream);
  test(`decodes ${what} as zstd does, at once and in pieces`, (t) => {
    t.is(error, '');
    const output = Buffer.alloc(bytes.length + 100);
    t.is(decoder.decode(stream, output), bytes.length);
    sameBytes(t, output.subarray(0, bytes.length), bytes);
    for (const [piece, room] of [
      [7, 1000],
      [1000, 77],
      [1 << 20, 1 << 20],
    ] as const) {
      sameBytes(t, inPieces(decoder, stream, piece, room), bytes);
    }
  });

  test(`stops in the middle of ${what}, and begins anew`, (t) => {
    const output = Buffer.alloc(600);
    for (let again = 0; again < 3; again++) {
      t.is(decoder.decode(stream, output), 600);
      t.deepEqual(output, bytes.subarray(0, 600));
    }
  });
}

test('there is one decoder for zstd, whatever the engine', (t) => {
  for (const name of engineNames) t.is(decoderOf(ZSTD.number, name), decoder);
});

const checked = zstd(MIXED);
for (const [what, stream, message] of [
  ['a wrong checksum', flipped(checked, checked.length - 1), /a zstd frame cannot be decoded: .*checksum/],
  ['what is no frame', noise(500), /a zstd frame cannot be decoded: /],
  ['a gzip member', Buffer.from('1f8b0800', 'hex'), /what follows a frame is none/],
  ['a window of 256 MiB', handMade([noise(10)], { windowLog: 28 }), /a window of more than 128 MiB/],
  ['a dictionary', handMade([noise(10)], { dictionary: 7 }), /dictionary/],
] as const) {
  test(`refuses ${what}, at once and in pieces, and decodes the next`, (t) => {
    const output = Buffer.alloc(MIXED.length + 10);
    t.throws(() => decoder.decode(stream, output), { code: 'CRFS_BAD_LAYER', message });
    t.throws(() => inPieces(decoder, stream, 1000, 1000), { code: 'CRFS_BAD_LAYER', message });
    t.is(decoder.decode(checked, output), MIXED.length);
    t.true(output.subarray(0, MIXED.length).equals(MIXED));
  });
}

test('a frame that is cut off yields less, and what comes next is not taken for its rest', (t) => {
  const output = Buffer.alloc(MIXED.length);
  t.true(decoder.decode(checked.subarray(0, -5000), output) < MIXED.length);
  t.is(decoder.decode(checked, output), MIXED.length);
  t.true(output.equals(MIXED));
});

test('every damage to one byte is told, or does no harm', (t) => {
  const content = text(3000);
  const stream = zstd(content);
  const output = Buffer.alloc(content.length + 10_000);
  for (let at = 0; at < stream.length; at++) {
    try {
      const length = decoder.decode(flipped(Buffer.from(stream), at), output);
      t.true(length < content.length || output.subarray(0, length).equals(content), `byte ${at}`);
    } catch (error) {
      t.is((error as { code?: string }).code, 'CRFS_BAD_LAYER');
    }
  }
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}
