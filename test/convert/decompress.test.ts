// SPDX-License-Identifier: GPL-3.0-or-later

/** Whatever gzip and zstd write, and take, is taken here too, wherever its bytes are cut into pieces. */

import test, { type ExecutionContext } from 'ava';
import { decompress } from '../../src/main/compression/decompress.js';
import { LayerFault } from '../../src/main/formats/fault.js';
import { mutate, randomFrom } from '../fuzz/mutate.js';
import {
  expected,
  gzip,
  gzipWithAllFields,
  handMade,
  type Outcome,
  skippable,
  zstd,
} from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { tarEnd, tarEntry } from '../tools/tar-writer.js';

type Random = (below: number) => number;
const rounds = 30;

function* pieces(bytes: Uint8Array, random: Random): Generator<Uint8Array> {
  const limit = 1 + random(random(2) === 0 ? Math.max(20, bytes.length / 100) : 200_000);
  for (let at = 0, length = 0; at < bytes.length; at += length) {
    length = 1 + random(limit);
    yield bytes.subarray(at, at + length);
  }
}

/** What we make of a stream. A fault of it is an outcome; any other error is none. */
async function decompressed(stream: Uint8Array, random: Random = randomFrom(1)): Promise<Outcome> {
  const parts: Uint8Array[] = [];
  let error = '';
  try {
    for await (const piece of decompress(asAsync(pieces(stream, random)))) parts.push(Buffer.from(piece));
  } catch (fault) {
    if (!(fault instanceof LayerFault)) throw fault;
    error = fault.message;
  }
  return { bytes: Buffer.concat(parts), error };
}

async function* asAsync(input: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* input;
}

function content(random: Random): Buffer {
  const some = (): Buffer[] => [
    noise(random(150_000), random(256)),
    text(random(150_000)),
    Buffer.alloc(random(150_000)),
  ];
  return random(5) === 0 ? Buffer.alloc(0) : Buffer.concat(some().slice(random(3)));
}

const zstdOptions = ['-1', '-19', '--fast=5', '--no-check', '--no-content-size', '--long=27', '--no-compress-literals'];

/** A part of a stream, and what it holds. */
const parts: Readonly<Record<'gzip' | 'zstd', (random: Random) => [stream: Buffer, holds: Buffer]>> = {
  gzip: (random) => {
    const holds = content(random);
    return [random(4) === 0 ? gzipWithAllFields(holds) : gzip(holds, `-${1 + random(9)}`), holds];
  },
  zstd: (random) => {
    const kind = random(6);
    if (kind === 0) return [skippable(noise(random(3) * random(100_000)), random(16)), Buffer.alloc(0)];
    if (kind === 1) {
      const [raw, run] = [noise(random(100_000)), random(100_000)];
      return [handMade([raw, { run }, raw]), Buffer.concat([raw, Buffer.alloc(run, 'r'), raw])];
    }
    const holds = content(random);
    return [zstd(holds, zstdOptions[random(zstdOptions.length)] ?? '-1'), holds];
  },
};

function streamOf(form: 'gzip' | 'zstd', random: Random): [stream: Buffer, holds: Buffer] {
  const made = Array.from({ length: 1 + random(5) }, () => parts[form](random));
  return [Buffer.concat(made.map(([stream]) => stream)), Buffer.concat(made.map(([, holds]) => holds))];
}

function seeded(t: ExecutionContext): Random {
  const seed = Date.now() % 1e9;
  t.log(`seed ${seed}`);
  return randomFrom(seed);
}

for (const form of ['gzip', 'zstd'] as const) {
  test(`any parts of ${form}, in any pieces, are what they hold`, async (t) => {
    const random = seeded(t);
    for (let round = 0; round < rounds; round++) {
      const [stream, holds] = streamOf(form, random);
      const { bytes, error } = await decompressed(stream, random);
      t.is(error, '', `round ${round}`);
      t.true(bytes.equals(holds), `round ${round}`);
    }
  });

  test(`damaged ${form} is what the program makes of it, or refused as there`, async (t) => {
    const random = seeded(t);
    let refused = 0;
    for (let round = 0; round < rounds; round++) {
      const [first] = parts[form](random);
      const head = first.subarray(0, 4); // what remains of another form is not asked about
      const damaged = mutate(Buffer.concat([first.subarray(4), streamOf(form, random)[0]]), random);
      // gzip needs two bytes behind a member to see that they are none
      const stream = Buffer.concat([head, damaged, Buffer.alloc(form === 'gzip' ? 2 : 0)]);
      const wanted = expected(form, stream);
      const { bytes, error } = await decompressed(stream, random);
      t.is(error === '', wanted.error === '', `round ${round}: ${error || 'taken'}, but ${wanted.error}`);
      if (error === '') t.true(bytes.equals(wanted.bytes), `round ${round}`);
      else refused++;
    }
    t.true(refused > 0, 'nothing was damaged enough');
  });
}

const hello = Buffer.from('hello\n');
const cat = (...all: Uint8Array[]): Buffer => Buffer.concat(all);
const none = Buffer.alloc(0);

const streams: Readonly<Record<string, readonly [stream: Uint8Array, holds: Uint8Array | RegExp]>> = {
  'gzip with zeros behind': [cat(gzip(hello), Buffer.alloc(70_000)), hello],
  'gzip with garbage behind': [cat(gzip(hello), noise(70_000)), hello],
  'gzip with garbage behind that begins like a member': [cat(gzip(hello), Buffer.from('\x1fx')), hello],
  'gzip with one byte behind that may begin a member': [cat(gzip(hello), Buffer.from('\x1f')), /ends too early/],
  'gzip with one byte behind': [cat(gzip(hello), Buffer.from('x')), hello],
  'gzip with one zero behind': [cat(gzip(hello), Buffer.alloc(1)), hello],
  'gzip with half a member behind': [cat(gzip(hello), gzip(hello).subarray(0, 12)), /ends too early/],
  'gzip with a broken member behind': [cat(gzip(hello), Buffer.from('1f8b0700', 'hex')), /unknown compression method/],
  'gzip with zeros and a member behind': [cat(gzip(hello), Buffer.alloc(2), gzip(hello)), hello],
  'gzip of nothing': [gzip(none), none],
  'gzip of nothing between others': [cat(gzip(hello), gzip(none), gzip(hello)), cat(hello, hello)],
  'gzip of stored blocks': [Buffer.from('1f8b08000000000000ff010100feff6143beb7e801000000', 'hex'), Buffer.from('a')],
  'gzip with all fields': [gzipWithAllFields(hello), hello],
  'gzip with a wrong checksum of its header': [wrong(gzipWithAllFields(hello), 12), /header crc mismatch/],
  'gzip that ends in its header': [gzipWithAllFields(hello).subarray(0, 14), /ends too early/],
  'zstd of nothing': [zstd(none), none],
  'zstd that only skips': [skippable(hello), none],
  'zstd that skips first': [cat(skippable(hello, 15), zstd(hello), skippable(none), zstd(hello)), cat(hello, hello)],
  'zstd that ends in what it skips': [cat(zstd(hello), skippable(hello).subarray(0, 10)), /ends too early/],
  'zstd with zeros behind': [cat(zstd(hello), Buffer.alloc(2)), /what follows a frame is none/],
  'zstd with a form of before the standard behind': [cat(zstd(hello), Buffer.from('27b52ffd', 'hex')), /is none/],
  'zstd whose last block fills one buffer and goes on in the next': [
    handMade([{ run: 100_000 }, { run: 100_000 }, { run: 100_000 }]),
    Buffer.alloc(300_000, 'r'),
  ],
  'zstd with a wrong checksum': [wrong(zstd(hello), zstd(hello).length - 1), /checksum/],
  'zstd with a window of 2 GiB': [handMade([hello, { run: 3 }], { windowLog: 31 }), Buffer.from('hello\nrrr')],
  'zstd with a window of 4 GiB': [handMade([hello], { windowLog: 32 }), /window of more than 2 GiB/],
  'zstd with a dictionary': [handMade([hello], { dictionary: 7 }), /made with a dictionary/],
  xz: [Buffer.from('fd377a585a000004', 'hex'), /compressed with xz, which is not supported: decompress it first/],
  bzip2: [Buffer.from('425a6839314159265359', 'hex'), /compressed with bzip2/],
  'bzip2 of nothing': [Buffer.from('425a683917724538509000000000', 'hex'), /compressed with bzip2/],
  lz4: [Buffer.from('04224d18', 'hex'), /compressed with lz4/],
};

function wrong(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

for (const [what, [stream, holds]] of Object.entries(streams)) {
  test(what, async (t) => {
    const { bytes, error } = await decompressed(stream);
    if (holds instanceof RegExp) t.regex(error, holds);
    else t.deepEqual([error, bytes], ['', Buffer.from(holds)]);
  });
}

test('a tar whose first name begins like something compressed is a tar', async (t) => {
  for (const magic of ['1f8b08', '28b52ffd', '502a4d18', 'fd377a585a', '425a6839314159265359', '04224d18']) {
    const tar = cat(tarEntry({ name: cat(Buffer.from(magic, 'hex'), hello), content: hello }, 'gnu'), tarEnd);
    t.deepEqual(await decompressed(tar), { bytes: tar, error: '' }, magic);
  }
});
