// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { extractTar } from '../tools/extract.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { once } from '../tools/once.js';
import { readLayer } from '../tools/read-layer.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { convert, scratch } from './setting.js';

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
if (!isRoot) console.log('skipped, needs root to extract owners and devices: the trees of converted tars');

const added = ['stargz.index.json', '.no.prefetch.landmark', '.prefetch.landmark'];

const place = mkdtempSync(join(tmpdir(), 'crfs-tree-'));
test.after.always(() => rmSync(place, { recursive: true }));

const conversions = {
  'as eStargz': {},
  'as legacy stargz in small chunks': { format: 'stargz', chunkSize: 100_000 },
  'with small files sharing members': { minChunkSize: 100_000 },
  'with some files first': { prioritize: ['meta/**', 'links/hard-to-hard', 'late/child', './twice', '/deep'] },
} as const;

for (const form of ['pax', 'gnu'] as const) {
  const given = once(async () => {
    const [path, before] = [join(place, form), join(place, `${form}-before`)];
    for (const made of [path, before]) mkdirSync(made);
    const nasty = writeNastyTar(path, form);
    await extractTar(nasty.path, before);
    return { ...nasty, tree: await describeTree(before) };
  });
  for (const [how, options] of Object.entries(conversions)) {
    asRoot(`GNU tar extracts the same tree from a ${form} tar and from its layer: ${how}`, async (t) => {
      const directory = scratch(t);
      const { path, impliedDirectories, tree: before } = await given();
      const [layer, after] = [join(directory, 'layer'), join(directory, 'after')];
      mkdirSync(after);
      await convert(path, layer, options);
      await extractTar(layer, after, added);
      const tree = await describeTree(after);
      t.true(tree.size > 100);
      t.deepEqual(compareTrees(tree, before, { ignoreMtimeOf: impliedDirectories }), []);
    });
  }
}

for (const version of ['old GNU', '0.0', '0.1', '1.0']) {
  test(`sparse files as GNU tar writes them are filled: ${version}`, async (t) => {
    const directory = scratch(t);
    const [from, to] = ['from', 'to'].map((name) => join(directory, name)) as [string, string];
    for (const made of [from, to]) mkdirSync(made);
    await run('sh', [
      '-c',
      `cd "$1" && truncate -s 9m holes && for at in 0 70 300 301 900 2000 2100 2200; do
         echo "data at $at" | dd of=holes bs=4k seek=$at conv=notrunc status=none; done && touch -d @1000 holes`,
      'sh',
      from,
    ]);
    const form = version === 'old GNU' ? ['--format=gnu'] : ['--format=pax', `--sparse-version=${version}`];
    const tar = join(directory, 'sparse.tar');
    await run('tar', ['--create', '--sparse', ...form, `--file=${tar}`, '--directory', from, 'holes']);
    await convert(tar, join(directory, 'layer'));
    await extractTar(join(directory, 'layer'), to, added);
    t.deepEqual(compareTrees(await describeTree(to), await describeTree(from), { ignoreMtimeOf: ['.'] }), []);
  });
}

asRoot('what a global PAX header says holds for every file behind it, wherever it goes', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'global.tar');
  writeTar(tar, [
    { name: 'before', mtime: 7, content: 'before' },
    { name: 'global', type: 'g', content: '16 mtime=1000.5\n17 comment=hello\n' },
    { name: 'one', content: 'one' },
    { name: 'two', content: 'two', mtime: 5, mtimeNsec: 5 },
    { name: 'three', type: '1', linkname: 'two', mtimeNsec: 5, mtime: 5 },
  ]);
  await convert(tar, join(directory, 'layer'), { prioritize: ['three'] });
  const [before, after] = ['before', 'after'].map((name) => join(directory, name)) as [string, string];
  for (const made of [before, after]) mkdirSync(made);
  await extractTar(tar, before);
  await extractTar(join(directory, 'layer'), after, added);
  const tree = await describeTree(after);
  t.is(tree.get('one')?.mtime, 1_000_500_000_000n);
  t.deepEqual(compareTrees(tree, await describeTree(before), { ignoreMtimeOf: ['.'] }), []);
});

test('of two PAX headers before an entry, the last one holds', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'twice.tar');
  writeTar(tar, [
    { name: 'x', type: 'x', content: '14 path=other\n12 uid=1000\n' },
    { name: 'x', type: 'x', content: '12 gid=1001\n' },
    { name: 'file', content: 'content' },
  ]);
  await convert(tar, join(directory, 'layer'));
  const { entries } = readLayer(join(directory, 'layer'));
  t.like(entries.at(-1), { name: 'file', gid: 1001, uid: undefined }, 'as GNU tar extracts it');
});
