// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers that other tools wrote of one tar. Fixtures are the ends of their blobs: TOC and footer. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { IndexReader } from '../../src/main/index/reader.js';
import { entriesOf } from '../tools/index-facts.js';
import { indexBlob, tailSource } from '../tools/toc.js';

const fixtures = fileURLToPath(new URL('../../../test/fixtures/interop', import.meta.url));
const S_IFMT = 0o170000;
const MTIME = 1_500_000_000;

/** Path, mode, size, owner as `tar -tv` shows them, and what GNU tar makes of a symlink's mode. */
const TREE = [
  ['app', '40755', 0, '0:0', 3],
  ['app/lib', '40755', 0, '0:0', 2],
  ['app/lib/data.bin', '100644', 300_000, '0:0', 1],
  ['app/lib/table.csv', '100644', 10_012_641, '0:0', 1],
  ['app/lib/zero', '100644', 0, '0:0', 1],
  ['app/main-again.py', '100755', 15, '0:0', 2],
  ['app/main.py', '100755', 15, '0:0', 2],
  ['app/run', '120777', 7, '0:0', 1],
  ['dev', '40755', 0, '0:0', 2],
  ['dev/null', '20666', 0, '0:0', 1],
  ['etc', '40755', 0, '0:0', 2],
  ['etc/app.conf', '100640', 7, '0:7', 1],
  ['run', '40755', 0, '0:0', 2],
  ['run/fifo', '10600', 0, '0:0', 1],
  ['usr', '40755', 0, '0:0', 3],
  ['usr/bin', '40755', 0, '0:0', 2],
  ['usr/bin/ping', '100755', 10, '0:0', 1],
];
const MADE = new Set(['run', 'usr', 'usr/bin']);

function listing(index: IndexReader): unknown[] {
  return Array.from(entriesOf(index), ({ path, inode }) => [
    path,
    index.mode(inode).toString(8),
    index.size(inode),
    `${index.uid(inode)}:${index.gid(inode)}`,
    index.nlink(inode),
  ]);
}

for (const { name, kind, tocOffset, prefetchEnd, chunkDigests } of [
  { name: 'basic.stargz', kind: 'stargz', tocOffset: 2_386_545, prefetchEnd: 0, chunkDigests: false },
  { name: 'basic.estargz', kind: 'estargz', tocOffset: 2_386_549, prefetchEnd: 0, chunkDigests: true },
  {
    name: 'basic.prioritized.estargz',
    kind: 'estargz',
    tocOffset: 2_386_609,
    prefetchEnd: 2_085_765,
    chunkDigests: true,
  },
] as const) {
  test(`${name} shows the tar that it was made of`, async (t) => {
    const tail = readFileSync(join(fixtures, `${name}.tail`));
    const { index, summary } = await indexBlob(t, tailSource(tail, tocOffset));
    t.deepEqual(listing(index), TREE);
    t.is(summary.kind, kind);
    t.is(summary.tocOffset, tocOffset);
    t.is(summary.files, 6);
    t.is(summary.inodes, TREE.length);
    t.is(summary.contentSize, 10_312_673);
    t.false(summary.unverified);
    t.is(index.prefetchEnd, prefetchEnd);

    for (const { path, inode } of entriesOf(index)) {
      t.is(index.mtimeSeconds(inode), MADE.has(path) ? 0 : MTIME, path);
      if ((index.mode(inode) & S_IFMT) === 0o100000) t.truthy(index.fileDigest(inode), path);
    }
    t.is(index.target(index.find('app/run')), 'main.py');
    t.is(index.major(index.find('dev/null')), 1);
    t.is(index.minor(index.find('dev/null')), 3);
    t.is(index.find('app/main.py'), index.find('app/main-again.py'));
    t.deepEqual(index.xattrs(index.find('usr/bin/ping')), [
      { name: 'security.capability', value: Buffer.from('AQAAAgAgAAAAAAAAAAAAAAAAAAA=', 'base64') },
      { name: 'user.k', value: Buffer.from('v') },
    ]);

    const table = index.find('app/lib/table.csv');
    const chunks = [0, 1, 2].map((i) => index.chunkFirst(table) + i);
    t.is(index.chunkCount(table), 3);
    t.deepEqual(
      chunks.map((c) => [index.chunkFileOffset(c), index.chunkSize(c), index.chunkDigest(c) !== null]),
      [
        [0, 4_194_304, chunkDigests],
        [4_194_304, 4_194_304, chunkDigests],
        [8_388_608, 1_624_033, chunkDigests],
      ],
    );
    const digest = index.fileDigest(table);
    t.is(
      digest && Buffer.from(digest).toString('hex'),
      'cc0ebe817e49869e49163d8919334157dd7ffdd95c66a213808da249895e4028',
    );
    t.is(index.isCheckedWhole(table), !chunkDigests);
  });
}
