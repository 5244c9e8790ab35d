// SPDX-License-Identifier: GPL-3.0-or-later

/** Which entries come first. */

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import { inTarOrder, prioritized } from '../../src/main/convert/order.js';
import { Matcher } from '../../src/main/convert/patterns.js';
import { type TarEntry, tarEnd, tarEntry } from '../tools/tar-writer.js';

test('the first pattern that matches a path decides, and all that match are met', (t) => {
  const matcher = new Matcher(['usr/*', 'usr/bin', './usr/bin/', 'etc/**', 'none', 'no?e', '[']);
  t.deepEqual(
    ['usr/bin', 'etc/a/b', '.', '[', 'var'].map((path) => matcher.rank(path)),
    [0, 3, undefined, 6, undefined],
  );
  t.deepEqual(matcher.unmatched(), ['none', 'no?e']);
});

const HOW = { landmarks: true, isWhole: false };

/** What comes out: names, those that share no member in brackets. */
async function orderOf(entries: readonly TarEntry[], wanted?: readonly string[]): Promise<string[]> {
  const tar = Readable.from([Buffer.concat([...entries.map((entry) => tarEntry(entry)), tarEnd])]);
  const names: string[] = [];
  const seen = { unmatched: [], tail: 0 };
  const items = wanted ? prioritized(tar, new Matcher(wanted), HOW, seen) : inTarOrder(tar, HOW, seen);
  for await (const { entry, content, alone } of items) {
    await buffer(content);
    names.push(alone ? `[${entry.name.toString()}]` : entry.name.toString());
  }
  return names;
}

const TREE: readonly TarEntry[] = [
  { name: 'a', content: 'a' },
  { name: 'lib/', type: '5' },
  { name: 'lib/file', content: 'file' },
  { name: 'b', content: 'b' },
  { name: 'hard', type: '1', linkname: 'lib/file' },
  { name: 'harder', type: '1', linkname: 'hard' },
];

test('a landmark shares its member with nothing, and divides what is wanted from what is not', async (t) => {
  t.deepEqual(await orderOf(TREE), ['[.no.prefetch.landmark]', ...TREE.map(({ name }) => String(name))]);
  t.deepEqual(await orderOf(TREE, ['b']), ['b', '[.prefetch.landmark]', 'a', 'lib/', 'lib/file', 'hard', 'harder']);
});

test('a hardlink comes behind what it leads to, and that behind its directory', async (t) => {
  t.deepEqual(await orderOf(TREE, ['harder', 'a']), [
    'lib/',
    'lib/file',
    'hard',
    'harder',
    'a',
    '[.prefetch.landmark]',
    'b',
  ]);
});
