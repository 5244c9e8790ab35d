// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { LayerFault } from '../../../src/main/formats/fault.js';
import { EntrySplitter } from '../../../src/main/formats/json-toc/entry-splitter.js';

/** The entries of a text that comes in parts of so many bytes. */
function split(text: string, partBytes = text.length + 1): unknown[] {
  const entries: unknown[] = [];
  const splitter = new EntrySplitter((value) => entries.push(value));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += partBytes) {
    splitter.push(bytes.subarray(at, at + partBytes));
  }
  splitter.end();
  return entries;
}

const HARD = {
  version: 1,
  before: [{ entries: [1] }, '}]"\\', null, -1.5e9, true],
  entries: [
    {},
    { name: 'quote " and \\ and \\" and \\\\', type: 'reg' },
    { name: '}{][,:', nested: { deep: [[{ x: '"' }]] } },
    { name: 'ä 日本 🐳 \u0000 \n' },
    { name: '\\'.repeat(9) },
    { name: '', size: 12345678901234 },
  ],
  after: 'x',
};

for (const [how, text] of [
  ['compact', JSON.stringify(HARD)],
  ['indented with tabs', JSON.stringify(HARD, null, '\t')],
  ['indented, with carriage returns', ` \r\n${JSON.stringify(HARD, null, '  ').replaceAll('\n', '\r\n')}\r\n`],
] as const) {
  for (const partBytes of [1, 2, 3, 7, 64, 1_000_000]) {
    test(`splits a text that is ${how}, in parts of ${partBytes} bytes`, (t) => {
      t.deepEqual(split(text, partBytes), HARD.entries);
    });
  }
}

test('takes entries before the version, and a key that is escaped', (t) => {
  t.deepEqual(split('{"\\u0065ntries":[{"a":1}],"version":1}'), [{ a: 1 }]);
});

test('takes an empty list and null for no entries', (t) => {
  t.deepEqual(split('{"version":1,"entries":[]}'), []);
  t.deepEqual(split('{"version":1,"entries":null}'), []);
});

test('hands over elements that are no objects, for the reader of entries to judge', (t) => {
  t.deepEqual(split('{"version":1,"entries":[1,"a",null,[2]]}', 1), [1, 'a', null, [2]]);
});

const nested = (depth: number) => `{"version":1,"entries":[${'['.repeat(depth)}${']'.repeat(depth)}]}`;

test('nests 32 levels deep, not 33', (t) => {
  t.is(split(nested(32)).length, 1);
  t.throws(() => split(nested(33)), { message: 'TOC: byte 56 nests deeper than 32 levels' });
});

test('refuses 10,000 levels, in an entry and beside the entries', (t) => {
  const deep = '{"a":'.repeat(10_000);
  t.throws(() => split(`{"version":1,"entries":[${deep}`), { message: 'TOC: byte 184 nests deeper than 32 levels' });
  t.throws(() => split(`{"x":${deep}`), { message: 'TOC: byte 165 nests deeper than 32 levels' });
});

test('refuses an entry larger than 1 MiB as soon as it is, without its end', (t) => {
  const splitter = new EntrySplitter(() => t.fail());
  splitter.push(Buffer.from('{"version":1,"entries":[{"name":"'));
  const part = Buffer.alloc(1 << 16, 'x');
  for (let i = 0; i < 15; i++) splitter.push(part);
  t.throws(() => splitter.push(part), {
    instanceOf: LayerFault,
    message: 'TOC: the value at byte 24 is larger than 1048576 bytes',
  });
});

const list = (inner: string) => `{"version":1,"entries":[${inner}]}`;

for (const [text, message] of [
  ['', 'TOC: truncated at byte 0'],
  [' ', 'TOC: truncated at byte 1'],
  ['[]', 'TOC: malformed JSON at byte 0'],
  ['{', 'TOC: truncated at byte 1'],
  ['{"version":1', 'TOC: truncated at byte 12'],
  ['{"version":1,', 'TOC: truncated at byte 13'],
  ['{"version":1,"entries":[{"a":1}', 'TOC: truncated at byte 31'],
  ['{"version":1,"entries":[{"a":"', 'TOC: truncated at byte 30'],
  ['{"version":1,"entries":[]', 'TOC: truncated at byte 25'],
  [`${list('')}x`, 'TOC: malformed JSON at byte 26'],
  [`${list('')}{}`, 'TOC: malformed JSON at byte 26'],
  ['\ufeff{}', 'TOC: malformed JSON at byte 0'],
  ['{,}', 'TOC: malformed JSON at byte 1'],
  ['{1:2}', 'TOC: malformed JSON at byte 1'],
  ['{"a" 1}', 'TOC: malformed JSON at byte 5'],
  ['{"a":}', 'TOC: malformed JSON at byte 5'],
  ['{"a":1,}', 'TOC: malformed JSON at byte 7'],
  ['{"a":1;}', 'TOC: malformed JSON in the value at byte 5'],
  ['{"a":1 2}', 'TOC: malformed JSON at byte 7'],
  ['{"a":[}', 'TOC: malformed JSON in the value at byte 5'],
  ['{"a":tru}', 'TOC: malformed JSON in the value at byte 5'],
  ['{"a\u0001":1}', 'TOC: malformed JSON in the value at byte 1'],
  ["{'a':1}", 'TOC: malformed JSON at byte 1'],
  [list(','), 'TOC: malformed JSON at byte 24'],
  [list('{},'), 'TOC: malformed JSON at byte 27'],
  [list('{} {}'), 'TOC: malformed JSON at byte 27'],
  [list('{"a":1,}'), 'TOC: malformed JSON in the value at byte 24'],
  [list('{"a":01}'), 'TOC: malformed JSON in the value at byte 24'],
  [list('{"a":"\\x"}'), 'TOC: malformed JSON in the value at byte 24'],
  [list('{"a":NaN}'), 'TOC: malformed JSON in the value at byte 24'],
  [list('{a:1}'), 'TOC: malformed JSON in the value at byte 24'],
  [list('{]'), 'TOC: malformed JSON in the value at byte 24'],
  ['{"version":1,"entries":{}}', 'TOC: entries is no array, or stands twice, at byte 23'],
  ['{"version":1,"entries":"x"}', 'TOC: entries is no array, or stands twice, at byte 23'],
  ['{"version":1,"entries":[],"entries":[]}', 'TOC: malformed JSON at byte 36'],
  ['{"version":1,"entries":[],"entries":null}', 'TOC: entries is no array, or stands twice, at byte 36'],
  ['{"version":1}', 'TOC: has no entries'],
  ['{}', 'TOC: version is null, not 1'],
  ['{"version":2,"entries":[]}', 'TOC: version is 2, not 1'],
  ['{"version":"1","entries":[]}', 'TOC: version is "1", not 1'],
  ['{"entries":[]}', 'TOC: version is null, not 1'],
] as const) {
  test(`refuses ${JSON.stringify(text)}`, (t) => {
    t.throws(() => split(text), { instanceOf: LayerFault, message });
    t.throws(() => split(text, 1), { instanceOf: LayerFault, message });
  });
}

test('bytes that are no UTF-8 become replacement characters', (t) => {
  const entries: unknown[] = [];
  const splitter = new EntrySplitter((value) => entries.push(value));
  splitter.push(Buffer.from('{"version":1,"entries":[{"name":"a\xff"}]}', 'latin1'));
  splitter.end();
  t.deepEqual(entries, [{ name: 'a\ufffd' }]);
});

test('what the taker of entries throws comes out as it is', (t) => {
  const splitter = new EntrySplitter(() => {
    throw new RangeError('mine');
  });
  t.throws(() => splitter.push(Buffer.from('{"entries":[{}]')), { instanceOf: RangeError, message: 'mine' });
});
