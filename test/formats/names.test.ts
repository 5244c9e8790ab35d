// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { cleanPath } from '../../src/main/formats/names.js';

for (const [name, path] of [
  ['a', 'a'],
  ['a/b/c', 'a/b/c'],
  ['./a', 'a'],
  ['/a', 'a'],
  ['//a', 'a'],
  ['.//a', 'a'],
  ['a/', 'a'],
  ['a//', 'a'],
  ['a//b', 'a/b'],
  ['a/./b', 'a/b'],
  ['a/.', 'a'],
  ['.', ''],
  ['./', ''],
  ['/', ''],
  ['', ''],
  ['.a/.b', '.a/.b'],
  ['...', '...'],
  ['a/...', 'a/...'],
  ['a..', 'a..'],
  ['..a/b', '..a/b'],
  [' ', ' '],
  ['a\nb', 'a\nb'],
  ['a\\b', 'a\\b'],
  ['./ä/日本', 'ä/日本'],
  ['__proto__/constructor', '__proto__/constructor'],
] as const) {
  test(`the name ${JSON.stringify(name)} stands for the path ${JSON.stringify(path)}`, (t) => {
    t.is(cleanPath(name), path);
  });
}

for (const name of ['..', '../a', 'a/..', 'a/../b', '/..', './..', 'a/b/../../..']) {
  test(`refuses the name ${name}, for its '..' part`, (t) => {
    t.throws(() => cleanPath(name), { message: `name holds a '..' part` });
  });
}

test('refuses a NUL', (t) => {
  t.throws(() => cleanPath('a\0b'), { message: 'name holds a NUL' });
});

test('takes a part of 255 bytes and refuses one of 256', (t) => {
  t.is(cleanPath(`d/${'x'.repeat(255)}`).length, 257);
  t.throws(() => cleanPath(`d/${'x'.repeat(256)}/f`), {
    message: 'name has a part longer than 255 bytes',
  });
});

test('counts the bytes of a part, not its characters', (t) => {
  t.notThrows(() => cleanPath('é'.repeat(127)));
  t.throws(() => cleanPath('é'.repeat(128)), { message: 'name has a part longer than 255 bytes' });
});

test('takes a path of 4095 bytes and refuses one of 4096', (t) => {
  const path = `${'x'.repeat(255)}/`.repeat(15) + 'y'.repeat(255);
  t.is(cleanPath(path).length, 4095);
  t.throws(() => cleanPath(`${'x'.repeat(255)}/`.repeat(15) + `y/${'y'.repeat(254)}`), {
    message: 'name is longer than 4095 bytes',
  });
});
