// SPDX-License-Identifier: GPL-3.0-or-later

import { text } from 'node:stream/consumers';
import { createGzip, gzipSync } from 'node:zlib';
import test from 'ava';
import type { BlobSource } from '../../../src/main/blob/source.js';
import { CrfsError } from '../../../src/main/errors/error.js';
import { readToc } from '../../../src/main/formats/estargz/toc.js';
import { LayerFault } from '../../../src/main/formats/fault.js';
import { recognise } from '../../../src/main/formats/recognise.js';
import { estargzFooter, footer, sha256, TOC_OFFSET, tailSource, tarOf } from '../../tools/toc.js';

/** With some content in front, as a footer alone is shorter than what is read for one. */
const EXTERNAL = Buffer.concat([Buffer.alloc(100), footer('SG\x11\x00STARGZEXTERNALTOC')]);
const JSON_NAME = 'stargz.index.json';

/** The JSON text of a TOC that stands before a footer. */
function jsonOf(toc: Buffer, source = tailSource(Buffer.concat([toc, estargzFooter()]))): AsyncIterable<Uint8Array> {
  return readToc(source, TOC_OFFSET, TOC_OFFSET + toc.length);
}

async function read(toc: Buffer): Promise<string> {
  return await text(jsonOf(toc));
}

const NO_ENTRIES = '{"version":1,"entries":[]}';
const legacyFooter = footer(`${TOC_OFFSET.toString(16).padStart(16, '0')}STARGZ`);

for (const [kind, bytes] of [
  ['estargz', estargzFooter()],
  ['stargz', legacyFooter],
] as const) {
  test(`recognises ${kind}, and reads its TOC`, async (t) => {
    const toc = gzipSync(await tarOf([[JSON_NAME, NO_ENTRIES]]));
    const layer = await recognise(tailSource(Buffer.concat([toc, bytes])));
    t.is(layer.kind, kind);
    t.is(layer.name, 'layer');
    t.is(layer.contentEnd, TOC_OFFSET);
    t.deepEqual(layer.toc, { start: TOC_OFFSET, end: TOC_OFFSET + toc.length });
    t.is(`sha256:${(await layer.entries(() => t.fail())).toString('hex')}`, sha256(NO_ENTRIES));
  });
}

test('reads a TOC in another blob', async (t) => {
  const json = '{"version":1,"entries":[{"name":"a/","type":"dir"}]}';
  const toc = tailSource(gzipSync(await tarOf([[JSON_NAME, json]])), 0, 'toc');
  const layer = await recognise(tailSource(EXTERNAL));
  t.is(layer.kind, 'estargz-external');
  t.is(layer.contentEnd, TOC_OFFSET + 100);
  t.is(layer.toc, undefined);
  const paths: string[] = [];
  t.is(`sha256:${(await layer.entries(({ path }) => paths.push(path), toc)).toString('hex')}`, sha256(json));
  t.deepEqual(paths, ['a']);
});

test('says where the TOC of a layer is kept when it is not at hand', async (t) => {
  const layer = await recognise(tailSource(EXTERNAL));
  await t.throwsAsync(() => layer.entries(() => t.fail()), {
    code: 'CRFS_NOT_FOUND',
    message: 'layer: keeps its TOC in another image, tagged <tag>-esgztoc, which is not at hand',
  });
});

test('reads a TOC of several gzip members', async (t) => {
  const tar = await tarOf([[JSON_NAME, '{"version":1}']]);
  t.is(await read(Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])), '{"version":1}');
});

test('hands over a large TOC in parts', async (t) => {
  const json = Buffer.alloc(12_000_000, 'abcdefg');
  const parts = jsonOf(gzipSync(await tarOf([[JSON_NAME, json]])));
  let bytes = 0;
  let largest = 0;
  for await (const part of parts) {
    bytes += part.length;
    largest = Math.max(largest, part.length);
  }
  t.is(bytes, json.length);
  t.true(largest <= 1 << 20);
});

test('a reader that stops early leaves nothing behind', async (t) => {
  const json = Buffer.alloc(5_000_000, '{');
  const parts = jsonOf(gzipSync(await tarOf([[JSON_NAME, json]])));
  for await (const part of parts) {
    t.true(part.length > 0);
    break;
  }
});

const refused: readonly (readonly [what: string, toc: () => Promise<Buffer>, message: RegExp])[] = [
  [
    'whose tar holds another file',
    async () => gzipSync(await tarOf([['index.json', '{}']])),
    /^the TOC's tar holds "index.json", not stargz.index.json alone$/,
  ],
  [
    'whose tar holds one file more',
    async () =>
      gzipSync(
        await tarOf([
          [JSON_NAME, '{}'],
          ['x', ''],
        ]),
      ),
    /^the TOC's tar holds "x", not stargz.index.json alone$/,
  ],
  [
    'whose tar holds it twice',
    async () =>
      gzipSync(
        await tarOf([
          [JSON_NAME, '{"version":1}'],
          [JSON_NAME, '{}'],
        ]),
      ),
    /^the TOC's tar holds "stargz.index.json", not stargz.index.json alone$/,
  ],
  ['whose tar is empty', async () => gzipSync(await tarOf([])), /^the TOC's tar holds no stargz.index.json$/],
  ['that holds nothing', async () => gzipSync(''), /^the TOC's tar holds no stargz.index.json$/],
  ['that is no tar', async () => gzipSync(Buffer.alloc(2048, 'x')), /^the TOC is no sound tar: /],
  ['that is no gzip', async () => Buffer.alloc(2048, 'x'), /^the TOC does not inflate: /],
  [
    'that is truncated',
    async () => gzipSync(await tarOf([[JSON_NAME, Buffer.alloc(9999, 'x')]])).subarray(0, -20),
    /^the TOC does not inflate: /,
  ],
  [
    'whose tar is truncated',
    async () => gzipSync((await tarOf([[JSON_NAME, 'x'.repeat(9999)]])).subarray(0, 5000)),
    /^the TOC is no sound tar: /,
  ],
  [
    'with a bit flipped',
    async () => {
      const toc = gzipSync(
        await tarOf([[JSON_NAME, Buffer.from(Array.from({ length: 9999 }, (_, i) => (i * i) % 251))]]),
      );
      toc[toc.length >> 1] = (toc[toc.length >> 1] as number) ^ 1;
      return toc;
    },
    /^the TOC does not inflate: /,
  ],
];

for (const [what, toc, message] of refused) {
  test(`refuses a TOC ${what}`, async (t) => {
    const bytes = await toc();
    await t.throwsAsync(() => read(bytes), { instanceOf: LayerFault, message });
  });
}

test('refuses a TOC that inflates out of all proportion, long before its end', async (t) => {
  const gzip = createGzip({ level: 9 });
  const header = (await tarOf([[JSON_NAME, '']])).subarray(0, 512);
  const size = 400_000_000;
  header.write(size.toString(8).padStart(11, '0'), 124, 'latin1');
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((a, b) => a + b, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  gzip.write(header);
  const zeros = Buffer.alloc(1 << 20, ' ');
  const parts: Buffer[] = [];
  gzip.on('data', (part: Buffer) => parts.push(part));
  for (let written = 0; written < size; written += zeros.length) {
    if (!gzip.write(zeros)) await new Promise((resolve) => gzip.once('drain', resolve));
  }
  gzip.end();
  await new Promise((resolve) => gzip.once('end', resolve));
  const toc = Buffer.concat(parts);

  const json = jsonOf(toc);
  let seen = 0;
  await t.throwsAsync(
    async () => {
      for await (const part of json) seen += part.length;
    },
    {
      instanceOf: LayerFault,
      message: `the TOC inflates to more than ${Math.max(1 << 24, toc.length * 100)} bytes, out of ${toc.length}`,
    },
  );
  t.true(seen < toc.length * 110);
});

test('an error of the source comes out as it is', async (t) => {
  const toc = gzipSync(await tarOf([[JSON_NAME, '{}']]));
  const whole = tailSource(Buffer.concat([toc, estargzFooter()]));
  const failing: BlobSource = {
    ...whole,
    read: async (offset, length) => {
      if (offset === TOC_OFFSET) throw new CrfsError('CRFS_UNREACHABLE', 'gone');
      return whole.read(offset, length);
    },
  };
  await t.throwsAsync(() => text(jsonOf(toc, failing)), {
    instanceOf: CrfsError,
    code: 'CRFS_UNREACHABLE',
    message: 'gone',
  });
});
