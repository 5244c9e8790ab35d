// SPDX-License-Identifier: GPL-3.0-or-later

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readPatterns } from '../../src/main/convert/patterns.js';
import { describeLayer } from '../tools/index-tree.js';
import { checkChunks, readLayer } from '../tools/read-layer.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';
import { convert, scratch } from './setting.js';

const tree: readonly TarEntry[] = [
  { name: './', type: '5' },
  { name: './bin/', type: '5' },
  { name: './bin/a', content: 'a' },
  { name: './bin/b', content: 'b' },
  { name: './bin/[', content: 'bracket' },
  { name: './lib/', type: '5' },
  { name: './lib/deep/', type: '5' },
  { name: './lib/deep/1.so', content: '1' },
  { name: './lib/deep/2.so', content: '2' },
  { name: './lib/deep/3.txt', content: '3' },
  { name: './lib/hard', type: '1', linkname: './lib/deep/3.txt' },
  { name: './lib/harder', type: '1', linkname: './lib/hard' },
  { name: './twice', content: 'first' },
  { name: './zero' },
  { name: './twice', content: 'second' },
];

async function order(t: Parameters<typeof scratch>[0], prioritize?: string[]): Promise<[string[], readonly string[]]> {
  const directory = scratch(t);
  const tar = join(directory, 'tree.tar');
  writeTar(tar, tree);
  const { warnings } = await convert(tar, join(directory, 'layer'), prioritize ? { prioritize } : {});
  const layer = readLayer(join(directory, 'layer'));
  t.deepEqual(checkChunks(layer), []);
  t.is(layer.entries.length, tree.length + 1);
  return [layer.entries.map(({ name }) => name), warnings];
}

test('without a list the first entry says that nothing is wanted at start', async (t) => {
  const [names] = await order(t);
  t.deepEqual(names.slice(0, 3), ['.no.prefetch.landmark', './', 'bin/']);
});

test('wanted files come first, in the order of the list, behind the directories above them', async (t) => {
  const [names] = await order(t, ['lib/deep/2.so', '/bin/b', './bin/a']);
  t.deepEqual(names.slice(0, 9), [
    './',
    'lib/',
    'lib/deep/',
    'lib/deep/2.so',
    'bin/',
    'bin/b',
    'bin/a',
    '.prefetch.landmark',
    'bin/[',
  ]);
});

test('patterns match in the order of the tar, and a path with odd characters is just a path', async (t) => {
  const [names, warnings] = await order(t, ['bin/[', '**/*.so', 'nothing/*']);
  t.deepEqual(names.slice(0, 8), [
    './',
    'bin/',
    'bin/[',
    'lib/',
    'lib/deep/',
    'lib/deep/1.so',
    'lib/deep/2.so',
    '.prefetch.landmark',
  ]);
  t.deepEqual(warnings, ['nothing matches the prioritized path nothing/*']);
});

test('the paths of a start are no globs, are of other layers, too, and nothing is told of those', async (t) => {
  const directory = scratch(t);
  writeTar(join(directory, 'tar'), [...tree, { name: './bin/[ab]', content: 'odd' }]);
  const startOrder = ['bin/[ab]', '../elsewhere', 'lib/deep/1.so', 'of/another/layer'];
  const { warnings } = await convert(join(directory, 'tar'), join(directory, 'layer'), { startOrder });
  const names = readLayer(join(directory, 'layer')).entries.map(({ name }) => name);
  t.deepEqual(names.slice(0, 7), [
    './',
    'bin/',
    'bin/[ab]',
    'lib/',
    'lib/deep/',
    'lib/deep/1.so',
    '.prefetch.landmark',
  ]);
  t.deepEqual(warnings, []);
});

test('what a hardlink leads to comes before it', async (t) => {
  const [names] = await order(t, ['lib/harder']);
  t.deepEqual(names.slice(0, 7), [
    './',
    'lib/',
    'lib/deep/',
    'lib/deep/3.txt',
    'lib/hard',
    'lib/harder',
    '.prefetch.landmark',
  ]);
});

test('entries of one name stay in their order', async (t) => {
  const [names] = await order(t, ['twice']);
  t.deepEqual(names.slice(0, 4), ['./', 'twice', 'twice', '.prefetch.landmark']);
});

const replaced: readonly TarEntry[] = [
  { name: 'a', content: 'first' },
  { name: 'b', type: '1', linkname: 'a' },
  { name: 'a', content: 'second!' },
];

for (const pattern of ['a', 'b', '*']) {
  test(`a hardlink keeps the file that it was made to, with ${pattern} wanted first`, async (t) => {
    const directory = scratch(t);
    writeTar(join(directory, 'tar'), replaced);
    await convert(join(directory, 'tar'), join(directory, 'layer'), { prioritize: [pattern] });
    const shown = await describeLayer(join(directory, 'layer'), directory);
    t.deepEqual([shown.get('a')?.size, shown.get('b')?.size], [7n, 5n]);
  });
}

test('a hardlink to a hardlink keeps the file of the first', async (t) => {
  const directory = scratch(t);
  const entries = [...replaced, { name: 'c', type: '1', linkname: 'b' }];
  writeTar(join(directory, 'tar'), entries);
  await convert(join(directory, 'tar'), join(directory, 'layer'), { prioritize: ['c'] });
  const names = readLayer(join(directory, 'layer')).entries.map(({ name }) => name);
  t.deepEqual(names, ['a', 'b', 'a', 'c', '.prefetch.landmark']);
});

test('a list may have carriage returns, a byte order mark, and spaces around its paths', (t) => {
  const path = join(scratch(t), 'list');
  writeFileSync(path, '\ufeffa/g\r\n# a comment\r\n\r\n  /a/f  \r\n');
  t.deepEqual(readPatterns(path), ['a/g', '/a/f']);
});

test('a list without an end, or with a line that can be no path, is refused', (t) => {
  const path = join(scratch(t), 'list');
  writeFileSync(path, 'x'.repeat(70_000));
  t.throws(() => readPatterns(path), { code: 'CRFS_USAGE', message: `${path}: a line has more than 65536 characters` });
  const endless = '/dev/zero has more than 16777216 bytes: not a list of paths';
  t.throws(() => readPatterns('/dev/zero'), { code: 'CRFS_USAGE', message: endless });
});

test('a hardlink to the directory that it stands for stays where it says nothing', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'tree.tar');
  writeTar(tar, [
    { name: 'made/a', content: 'a' },
    { name: 'made', type: '1', linkname: './made' },
    { name: 'made/b', content: 'b' },
  ]);
  await convert(tar, join(directory, 'layer'), { prioritize: ['made', 'made/b'] });
  const shown = await describeLayer(join(directory, 'layer'), directory);
  t.deepEqual([...shown.keys()].sort(), ['.', 'made', 'made/a', 'made/b']);
});
