// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import * as v from 'valibot';
import { CrfsError } from '../../src/main/errors/error.js';
import { checkJson } from '../../src/main/schema/check.js';
import { anyText, strings, table } from '../../src/main/schema/schemas.js';

const schema = table({ list: v.array(table({ name: v.string('a string') }), 'a list'), more: v.optional(strings, {}) });

function read(text: string | Buffer, isSecret = false): unknown {
  return checkJson(schema, Buffer.from(text), { where: 'the file', code: 'CRFS_USAGE', isSecret });
}

for (const [what, text, told] of [
  ['no JSON', '<html>', /^the file: is not JSON: Unexpected token '<', "<html>"$/],
  ['no UTF-8', Buffer.from('{"list":["\xff"]}', 'latin1'), /^the file: is not JSON: /],
  ['no object', '[]', /^the file: list must be given$/],
  ['null', 'null', /^the file: must be an object, not null$/],
  ['an entry too few', '{"list":[{}]}', /^the file: list\.0\.name must be given$/],
  ['an entry of another type', '{"list":[{"name":5}]}', /^the file: list\.0\.name must be a string, not 5$/],
  ['a long text', `{"list":"${'x'.repeat(500)}"}`, /^the file: list must be a list, not "x{80}…"$/],
  ['control characters', '{"list":"a\\u001b[31m\\nb"}', /^the file: list must be a list, not "a \[31m b"$/],
  [
    'a long list',
    `{"list":[{"name":[${'1,'.repeat(100)}1]}]}`,
    /^the file: list\.0\.name must be a string, not a list$/,
  ],
  ['a number where strings are', '{"list":[],"more":{"a":1}}', /more must be an object of strings, not an object$/],
] as const) {
  test(`what has ${what} is refused in one line that says what it must be`, (t) => {
    const error = t.throws(() => read(text), { instanceOf: CrfsError, code: 'CRFS_USAGE' });
    t.regex(error?.message ?? '', told);
  });
}

test('of what holds secrets, nothing is shown', (t) => {
  for (const text of ['secret', '{"list":"secret"}', '{"list":[{"name":["secret"]}]}']) {
    const error = t.throws(() => read(text, true), { instanceOf: CrfsError });
    t.notRegex(`${error?.message} ${String(error?.cause)}`, /secret/, text);
  }
});

test('a byte order mark, unknown entries and values that are null are passed over', (t) => {
  const found = read('\ufeff{"list":[],"other":1,"more":{"a":null,"b":"c","__proto__":"d","constructor":"e"}}');
  t.deepEqual(Object.entries((found as { more: object }).more), [
    ['b', 'c'],
    ['__proto__', 'd'],
    ['constructor', 'e'],
  ]);
});

test('what is no string may count as the empty one', (t) => {
  for (const value of [5, null, undefined, {}]) t.is(v.parse(anyText, value), '');
});
