// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { footerOf, readFooter } from '../../../src/main/formats/estargz/footer.js';
import { recognise } from '../../../src/main/formats/recognise.js';
import { estargzFooter, footer, tailSource } from '../../tools/toc.js';

const CONTENT = 5000;
const HEX = (1234).toString(16).padStart(16, '0');
const NOT_STARGZ =
  'layer: is no layer that can be mounted, or was cut short: no footer at its end, no tar at its beginning; `crfs stargzify` converts layers and images';

test('reads the footer of a legacy stargz blob', async (t) => {
  const bytes = footer(`${HEX}STARGZ`);
  t.is(bytes.length, 47);
  t.deepEqual(await readFooter(tailSource(Buffer.concat([Buffer.alloc(10), bytes]), CONTENT)), {
    kind: 'stargz',
    start: CONTENT + 10,
    tocOffset: 1234,
  });
});

test('reads the footer of an eStargz blob', async (t) => {
  const bytes = footer(`SG\x16\x00${HEX}STARGZ`);
  t.is(bytes.length, 51);
  t.deepEqual(await readFooter(tailSource(bytes, CONTENT)), { kind: 'estargz', start: CONTENT, tocOffset: 1234 });
});

test('reads the footer of a blob with its TOC elsewhere: content ends where the footer starts', async (t) => {
  const bytes = footer('SG\x11\x00STARGZEXTERNALTOC');
  t.is(bytes.length, 46);
  t.deepEqual(await readFooter(tailSource(Buffer.concat([Buffer.alloc(9), bytes]), CONTENT)), {
    kind: 'estargz-external',
    start: CONTENT + 9,
    tocOffset: CONTENT + 9,
  });
});

test('reads an offset in upper-case digits', async (t) => {
  const found = await readFooter(tailSource(footer('SG\x16\x000000000000000ABCSTARGZ'), CONTENT));
  t.is(found?.tocOffset, 0xabc);
});

test('finds the TOC of a blob beyond 4 GiB', async (t) => {
  const found = await readFooter(tailSource(estargzFooter(2 ** 40 + 7), 2 ** 41));
  t.is(found?.tocOffset, 2 ** 40 + 7);
});

for (const [what, offset] of [
  ['itself', CONTENT],
  ['the byte behind the blob', CONTENT + 51],
  ['a place beyond all numbers', 'ffffffffffffffff'],
  ['the first byte', 0],
] as const) {
  test(`refuses a footer that points at ${what}`, async (t) => {
    const digits = typeof offset === 'string' ? offset : offset.toString(16).padStart(16, '0');
    await t.throwsAsync(() => readFooter(tailSource(footer(`SG\x16\x00${digits}STARGZ`), CONTENT)), {
      code: 'CRFS_BAD_LAYER',
      message: `layer: the footer places the TOC at ${Number.parseInt(digits, 16)}, outside of 1 to 4999`,
    });
  });
}

function changed(at: number, byte: number): Buffer {
  const bytes = estargzFooter(1234);
  bytes[at] = byte;
  return bytes;
}

for (const [what, bytes] of [
  ['an empty blob', Buffer.alloc(0)],
  ['a blob shorter than any footer', Buffer.from('1f8b', 'hex')],
  ['a plain gzip', Buffer.from('1f8b0800000000000003030000000000000000000000'.padStart(120, '0'), 'hex')],
  ['a footer with another magic', changed(32, 0x58)],
  ['a footer with an offset that is no hex', changed(20, 0x67)],
  ['a footer with another length of the extra field', changed(10, 27)],
  ['a footer with another subfield', changed(12, 0x58)],
  ['a footer with content', changed(50, 1)],
  ['a footer cut at its start', estargzFooter(1234).subarray(1)],
  ['a footer with a byte behind it', Buffer.concat([estargzFooter(1234), Buffer.alloc(1)])],
] as const) {
  test(`${what} is not stargz, and the message says what converts`, async (t) => {
    t.is(await readFooter(tailSource(bytes, 0)), undefined);
    await t.throwsAsync(() => recognise(tailSource(bytes, 0)), { code: 'CRFS_NOT_STARGZ', message: NOT_STARGZ });
  });
}

test('a footer is written as it is read', (t) => {
  t.deepEqual(footerOf('estargz', 1234), estargzFooter(1234));
  t.deepEqual(footerOf('stargz', 1234), footer(`${(1234).toString(16).padStart(16, '0')}STARGZ`));
});
