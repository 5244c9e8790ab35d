// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { directory, type Fields, file, indexOf } from '../tools/toc.js';

const link = (name: string, linkName: string): Fields => ({ name, type: 'hardlink', linkName });

/** Every name leads to one inode, which counts them. */
for (const [what, entries, names] of [
  ['backward', [file('a', 10), link('b', 'a')], ['a', 'b']],
  ['forward', [link('b', 'a'), file('a', 10)], ['a', 'b']],
  ['to another hardlink', [file('a', 10), link('b', 'a'), link('c', 'b')], ['a', 'b', 'c']],
  ['forward to forward hardlinks', [link('c', 'b'), link('b', 'a'), file('a', 10)], ['a', 'b', 'c']],
  ['with a ./ in front of the target', [file('a', 10), link('b', './a')], ['a', 'b']],
  ['with a / in front of the target', [link('b', '/a'), file('a', 10)], ['a', 'b']],
  ['in and out of directories', [file('d/a', 10), link('e/b', 'd/a'), link('c', 'e/b')], ['d/a', 'e/b', 'c']],
  ['to a symlink', [{ name: 'a', type: 'symlink', linkName: 'x' }, link('b', 'a')], ['a', 'b']],
  ['to a device', [{ name: 'a', type: 'char', devMajor: 1 }, link('b', 'a')], ['a', 'b']],
  ['to a fifo', [link('b', 'a'), { name: 'a', type: 'fifo' }], ['a', 'b']],
  ['to a file that is empty', [{ name: 'a', type: 'reg' }, link('b', 'a')], ['a', 'b']],
  ['told twice', [file('a', 10), link('b', 'a'), link('b', 'a')], ['a', 'b']],
  ['to itself, where the file is already', [file('a', 10), link('b', 'a'), link('a', 'a')], ['a', 'b']],
  ['to another name of what it replaces', [file('a', 10), link('b', 'a'), link('a', 'b')], ['a', 'b']],
] as const) {
  test(`a hardlink ${what} is a name of the same inode`, async (t) => {
    const { index } = await indexOf(t, entries);
    const inodes = new Set(names.map((name) => index.find(name)));
    t.is(inodes.size, 1);
    const [inode = -1] = inodes;
    t.true(inode > 0);
    t.is(index.nlink(inode), names.length);
    t.true(names.includes(index.path(inode) as never));
    t.is(index.nlink(index.find(names[0])), names.length);
  });
}

test('NumLink is not believed', async (t) => {
  const { index } = await indexOf(t, [{ ...file('a', 10), NumLink: 7 }]);
  t.is(index.nlink(index.find('a')), 1);
});

test('a hardlink keeps the file that stood there when it came, as an extraction does', async (t) => {
  const { index, summary } = await indexOf(t, [file('a', 10, 'old'), link('b', 'a'), file('a', 20, 'newer')]);
  t.is(index.size(index.find('a')), 5);
  t.is(index.size(index.find('b')), 3);
  t.is(index.nlink(index.find('a')), 1);
  t.is(index.nlink(index.find('b')), 1);
  t.is(index.path(index.find('b')), 'b');
  t.is(summary.contentSize, 8);
  t.is(index.chunks, 2);
});

test('a forward hardlink names the last of equal paths', async (t) => {
  const { index } = await indexOf(t, [link('b', 'a'), file('a', 10, 'old'), file('a', 20, 'newer')]);
  t.is(index.find('a'), index.find('b'));
  t.is(index.size(index.find('b')), 5);
  t.is(index.inodes, 2);
});

test('a hardlink replaced by a file is no name of its target any more', async (t) => {
  const { index } = await indexOf(t, [file('a', 10), link('b', 'a'), file('b', 20)]);
  t.not(index.find('a'), index.find('b'));
  t.is(index.nlink(index.find('a')), 1);
});

test('a hundred thousand hardlinks, each forward to the next, resolve', async (t) => {
  const count = 100_000;
  const links = Array.from({ length: count }, (_, i) => link(`l${i}`, `l${i + 1}`));
  const { index } = await indexOf(t, [...links, file(`l${count}`, 10)]);
  t.is(index.inodes, 2);
  t.is(index.nlink(1), count + 1);
});

const refused: readonly (readonly [what: string, entries: readonly Fields[], message: string])[] = [
  ['whose target is missing', [link('b', 'a')], 'hardlink "b": its target "a" is not in the layer'],
  ['without a target', [link('b', '')], 'hardlink "b": its target "" is a directory'],
  ['to a directory', [directory('a'), link('b', 'a')], 'hardlink "b": its target "a" is a directory'],
  ['forward to a directory', [link('b', 'a'), directory('a')], 'hardlink "b": its target "a" is a directory'],
  [
    'to a directory through another',
    [link('c', 'b'), link('b', 'a'), directory('a')],
    'hardlink "b": its target "a" is a directory',
  ],
  ['to itself', [link('a', 'a')], 'hardlink "a": its target leads back to itself'],
  ['in a loop of two', [link('a', 'b'), link('b', 'a')], 'hardlink "a": its target leads back to itself'],
  [
    'into a loop of three',
    [link('x', 'a'), link('a', 'b'), link('b', 'c'), link('c', 'a')],
    'hardlink "x": its target leads back to itself',
  ],
  [
    'to a landmark',
    [file('.prefetch.landmark', 10, 'x'), link('a', '.prefetch.landmark')],
    'hardlink "a": its target ".prefetch.landmark" is not in the layer',
  ],
];

for (const [what, entries, message] of refused) {
  test(`refuses a hardlink ${what}`, async (t) => {
    await t.throwsAsync(() => indexOf(t, entries), { code: 'CRFS_BAD_LAYER', message: `layer: ${message}` });
  });
}
