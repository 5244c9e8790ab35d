// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import type { BlobSource } from '../../../src/main/blob/source.js';
import { LayerFault } from '../../../src/main/formats/fault.js';
import { recognise } from '../../../src/main/formats/recognise.js';
import { handMade, zstd } from '../../tools/compressed-stream.js';
import { sha256 } from '../../tools/read-layer.js';
import { zstdChunked } from '../../tools/zstd-chunked.js';

const CONTENT = Buffer.alloc(1000, 'x');
const JSON_TEXT = '{"version":1,"entries":[{"name":"d/","type":"dir"}],"tarSplitDigest":"sha256:0"}';

function source(blob: Buffer): BlobSource {
  return {
    name: 'layer',
    size: blob.length,
    read: async (offset, length) => blob.subarray(offset, offset + length),
    close: async () => {},
  };
}

for (const footer of ['today', 'old', 'none'] as const) {
  const { blob, position, digest } = zstdChunked(CONTENT, JSON_TEXT, { footer });
  for (const how of footer === 'none' ? [position] : [undefined, position]) {
    test(`reads a TOC by ${how ? 'its position' : 'the footer'}, with a footer as of ${footer}`, async (t) => {
      const layer = await recognise(source(blob), how);
      t.is(layer.kind, 'zstd:chunked');
      t.is(layer.contentEnd, CONTENT.length);
      t.is(layer.toc?.start, CONTENT.length + 8);
      const paths: string[] = [];
      const found = await layer.entries(({ path }) => paths.push(path));
      t.deepEqual(paths, ['d']);
      t.is(`sha256:${found.toString('hex')}`, digest);
    });
  }
}

test('names the TOC by the digest of what is in the blob, not of the JSON', async (t) => {
  const toc = zstd(Buffer.from(JSON_TEXT), '-19');
  const layer = await recognise(source(zstdChunked(CONTENT, JSON_TEXT, { toc }).blob));
  t.is(`sha256:${(await layer.entries(() => undefined)).toString('hex')}`, sha256(toc));
});

test('a blob that ends in the word alone, or is cut short, is of no format', async (t) => {
  const { blob } = zstdChunked(CONTENT, JSON_TEXT);
  for (const bytes of [Buffer.from('GNUlInUx'), Buffer.alloc(0), blob.subarray(0, -1), blob.subarray(-64), CONTENT]) {
    await t.throwsAsync(() => recognise(source(bytes)), { code: 'CRFS_NOT_STARGZ' });
  }
});

const { blob } = zstdChunked(CONTENT, JSON_TEXT);
for (const [position, message] of [
  ['1008:90:81', 'the manifest says of its TOC\'s position "1008:90:81"'],
  ['1008:90:81:1:1', /position/],
  ['-1:90:81:1', /position/],
  ['1e3:90:81:1', /position/],
  ['99999999999999999:90:81:1', /position/],
  ['', /position/],
  ['1008:90:81:2', 'the manifest says that its TOC is of type 2, not 1'],
  ['7:90:81:1', /the manifest places the TOC at 7, 90 bytes long, outside of 8 to \d+/],
  ['1008:0:81:1', /0 bytes long/],
  [`1008:${blob.length}:81:1`, /outside/],
  ['9007199254740993:1:81:1', /outside/],
] as const) {
  test(`refuses the position ${JSON.stringify(position)}`, async (t) => {
    const error = await t.throwsAsync(() => recognise(source(blob), position), { code: 'CRFS_BAD_LAYER' });
    if (typeof message === 'string') t.is(error?.message, `layer: ${message}`);
    else t.regex(error?.message ?? '', message);
  });
}

for (const [what, at, value] of [
  ['behind the footer', 0, 2n ** 60n],
  ['before the blob', 0, 3n],
  ['over the footer', 8, 10_000n],
  ['of another type', 24, 2n],
] as const) {
  test(`refuses a footer with a TOC ${what}`, async (t) => {
    const wrong = Buffer.from(blob);
    wrong.writeBigUInt64LE(value, wrong.length - 64 + at);
    await t.throwsAsync(() => recognise(source(wrong)), { code: 'CRFS_BAD_LAYER', message: /^layer: the footer / });
  });
}

const MIB = Buffer.alloc(1 << 20, ' ');
for (const [what, options, message] of [
  ['shorter than stated', { length: 10_000 }, 'the TOC has less than the 10000 bytes that are stated'],
  ['longer than stated', { length: 10 }, 'the TOC has more than the 10 bytes that are stated'],
  ['in another form', { toc: Buffer.from('no zstd') }, /^the TOC cannot be decoded: /],
  ['cut short', { toc: zstd(Buffer.from(JSON_TEXT)).subarray(0, -6) }, /^the TOC ends too early/],
  ['with a checksum that is wrong', { toc: flipped(zstd(Buffer.from(JSON_TEXT)), -1) }, /checksum/],
  [
    'with a window of 256 MiB',
    { toc: handMade([Buffer.from(JSON_TEXT)], { windowLog: 28 }) },
    /window of more than 128 MiB/,
  ],
  [
    'out of all proportion',
    { toc: zstd(Buffer.concat(Array(20).fill(MIB))), length: 20 << 20 },
    /the TOC inflates to more than 16777216 bytes/,
  ],
] as const) {
  test(`refuses a TOC ${what}`, async (t) => {
    const layer = await recognise(source(zstdChunked(CONTENT, JSON_TEXT, options).blob));
    const error = await t.throwsAsync(() => layer.entries(() => undefined), { instanceOf: LayerFault });
    if (typeof message === 'string') t.is(error?.message, message);
    else t.regex(error?.message ?? '', message);
  });
}

function flipped(bytes: Buffer, at: number): Buffer {
  const place = bytes.length + at;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  return bytes;
}
