// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { GZIP } from '../../src/main/formats/codec.js';
import { addon } from '../../src/native/addon.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { engineNames } from '../../src/workers/engine-names.js';
import { sameBytes } from '../tools/bytes.js';
import { inPieces } from '../tools/in-pieces.js';

const contents = {
  'one byte': Buffer.of(7),
  zeros: Buffer.alloc(300_000),
  text: Buffer.from('the quick brown fox jumps over the lazy dog\n'.repeat(5000)),
  noise: randomBytes(200_000),
};

for (const name of engineNames) {
  const decoder = decoderOf(GZIP.number, name);

  for (const [what, content] of Object.entries(contents)) {
    test(`${name} inflates ${what}`, (t) => {
      const output = Buffer.alloc(content.length + 10);
      t.is(decoder.decode(gzipSync(content), output), content.length);
      sameBytes(t, output.subarray(0, content.length), content);
    });
  }

  test(`${name} goes on with the next member`, (t) => {
    const output = Buffer.alloc(100);
    const input = Buffer.concat([gzipSync('first, '), gzipSync('second')]);
    const length = decoder.decode(input, output);
    t.is(output.toString('utf8', 0, length), 'first, second');
  });

  test(`${name} stops where the output is full, in the middle of a member`, (t) => {
    const output = Buffer.alloc(1000);
    t.is(decoder.decode(gzipSync(contents.text), output), 1000);
    t.deepEqual(output, contents.text.subarray(0, 1000));
  });

  test(`${name} stops where the output is full, at the end of a member`, (t) => {
    const output = Buffer.alloc(5);
    t.is(decoder.decode(Buffer.concat([gzipSync('first'), gzipSync('second')]), output), 5);
    t.is(output.toString(), 'first');
  });

  test(`${name} refuses a wrong checksum`, (t) => {
    const input = gzipSync(contents.text);
    input[input.length - 8]! ^= 1;
    const output = Buffer.alloc(contents.text.length + 10);
    t.throws(() => decoder.decode(input, output), { code: 'CRFS_BAD_LAYER' });
  });

  test(`${name} refuses what is no gzip member`, (t) => {
    t.throws(() => decoder.decode(randomBytes(500), Buffer.alloc(5000)), { code: 'CRFS_BAD_LAYER' });
  });

  for (const [piece, room] of [
    [7, 1000],
    [1000, 7],
    [1 << 20, 100],
    [1 << 20, 1 << 20],
  ] as const) {
    test(`${name} decodes ${piece} bytes at a time into ${room}`, (t) => {
      const content = Buffer.concat([contents.text.subarray(0, 20_000), contents.zeros.subarray(0, 20_000)]);
      const input = Buffer.concat([gzipSync(content), gzipSync(content)]);
      t.deepEqual(inPieces(decoder, input, piece, room), Buffer.concat([content, content]));
    });
  }

  test(`${name} refuses a wrong checksum when it decodes in pieces`, (t) => {
    const input = gzipSync(contents.text);
    input[input.length - 8]! ^= 1;
    t.throws(() => inPieces(decoder, input, 1000, 1000), { code: 'CRFS_BAD_LAYER' });
  });

  test(`${name} never yields all of a member that was cut off`, (t) => {
    const input = gzipSync(contents.noise);
    const output = Buffer.alloc(contents.noise.length + 10);
    let length = 0;
    try {
      length = decoder.decode(input.subarray(0, input.length / 2), output);
    } catch (error) {
      t.is((error as { code?: string }).code, 'CRFS_BAD_LAYER');
    }
    t.true(length < contents.noise.length);
  });
}

test('libdeflate needs no other engine for a member that fills its room, whatever stands behind it', (t) => {
  for (const rest of [gzipSync('second'), Buffer.from('no member')]) {
    t.is(addon.inflate(Buffer.concat([gzipSync('first'), rest]), Buffer.alloc(5)), 5);
  }
});

/** A file of these bytes, behind 70,000 others, open. */
function fileOf(t: ExecutionContext, bytes: Buffer): { fd: number; offset: number } {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-engines-'));
  const before = 70_000;
  writeFileSync(join(directory, 'file'), Buffer.concat([Buffer.alloc(before), bytes]));
  const fd = openSync(join(directory, 'file'), 'r+');
  t.teardown(() => {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  return { fd, offset: before };
}

test('members are inflated out of a file, also where the room ends in the middle of one', (t) => {
  const input = Buffer.concat([gzipSync('first, '), gzipSync(contents.text)]);
  const { fd, offset } = fileOf(t, input);
  const all = Buffer.concat([Buffer.from('first, '), contents.text]);
  for (const room of [7, 1000, all.length, all.length + 10]) {
    const output = Buffer.alloc(room);
    const length = Math.min(room, all.length);
    t.is(addon.inflateFile(fd, offset, input.length, output), length);
    t.deepEqual(output.subarray(0, length), all.subarray(0, length));
  }
});

test('what is no member, or was cut off, is told apart in a file', (t) => {
  const input = gzipSync(contents.noise);
  const { fd, offset } = fileOf(t, input);
  const output = Buffer.alloc(contents.noise.length);
  t.is(addon.inflateFile(fd, offset + 1, input.length - 1, output), -2);
  ftruncateSync(fd, offset);
  t.is(addon.inflateFile(fd, offset, input.length, output), -4);
  t.throws(() => addon.inflateFile(-1, 0, input.length, output), { message: /mmap/ });
});
