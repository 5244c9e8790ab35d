// SPDX-License-Identifier: GPL-3.0-or-later

/** Where the content of files lies, and what checks it. */

import { createHash } from 'node:crypto';
import test from 'ava';
import type { IndexReader } from '../../src/main/index/reader.js';
import { headerOf } from '../tools/index-facts.js';
import { blobOf, type Fields, file, indexBlob, indexOf, sha256, TOC_OFFSET, tocJson } from '../tools/toc.js';

const hex = (content: string) => sha256(content).slice('sha256:'.length);
const bytesOf = (content: string) => Buffer.from(hex(content), 'hex');

/** The chunks of a file as [offset, end, inner, offset in the file, size]. */
function chunksOf(index: IndexReader, path: string): number[][] {
  const inode = index.find(path);
  return Array.from({ length: index.chunkCount(inode) }, (_, i) => {
    const chunk = index.chunkFirst(inode) + i;
    return [
      index.chunkOffset(chunk),
      index.chunkEnd(chunk),
      index.chunkInner(chunk),
      index.chunkFileOffset(chunk),
      index.chunkSize(chunk),
    ];
  });
}

const reg = (name: string, size: number, offset: number, more: Fields = {}): Fields => ({
  name,
  type: 'reg',
  size,
  offset,
  ...more,
});
const chunk = (offset: number, chunkOffset: number, more: Fields = {}): Fields => ({
  type: 'chunk',
  offset,
  chunkOffset,
  ...more,
});
const D = { digest: sha256('whole') };

test('a file of one chunk reaches up to the next offset in use, the last one up to the TOC', async (t) => {
  const { index, bytes } = await indexOf(t, [reg('a', 9, 100, D), reg('b', 9, 500, D)]);
  t.deepEqual(chunksOf(index, 'a'), [[100, 500, 0, 0, 9]]);
  t.deepEqual(chunksOf(index, 'b'), [[500, Number.POSITIVE_INFINITY, 0, 0, 9]]);
  t.is(headerOf(bytes).blobUsed, 500);
  t.is(index.chunkInode(0), index.find('a'));
});

test('a large file is covered by its chunks, the last up to its end', async (t) => {
  const { index } = await indexOf(t, [
    reg('a', 25, 100, { ...D, chunkSize: 10 }),
    chunk(200, 10, { name: 'a', chunkSize: 10 }),
    chunk(300, 20, { name: 'whatever' }),
    reg('b', 20, 400, { ...D, chunkSize: 10 }),
    chunk(500, 10, { chunkSize: 10 }),
  ]);
  t.deepEqual(chunksOf(index, 'a'), [
    [100, 200, 0, 0, 10],
    [200, 300, 0, 10, 10],
    [300, 400, 0, 20, 5],
  ]);
  t.deepEqual(chunksOf(index, 'b'), [
    [400, 500, 0, 0, 10],
    [500, Number.POSITIVE_INFINITY, 0, 10, 10],
  ]);
});

test('a chunk belongs to the last regular file, other entries between or not', async (t) => {
  const { index } = await indexOf(t, [
    reg('a', 20, 100, { ...D, chunkSize: 10 }),
    { name: 'd', type: 'dir' },
    { name: 'l', type: 'hardlink', linkName: 'a' },
    chunk(200, 10),
  ]);
  t.is(index.chunkCount(index.find('a')), 2);
});

test('chunks out of order are brought into order, with their digests', async (t) => {
  const { index } = await indexOf(t, [
    reg('a', 30, 300, { ...D, chunkOffset: 20, chunkSize: 10, chunkDigest: sha256('3') }),
    chunk(100, 0, { chunkSize: 10, chunkDigest: sha256('1') }),
    chunk(200, 10, { chunkSize: 10, chunkDigest: sha256('2') }),
  ]);
  t.deepEqual(chunksOf(index, 'a'), [
    [100, 200, 0, 0, 10],
    [200, 300, 0, 10, 10],
    [300, Number.POSITIVE_INFINITY, 0, 20, 10],
  ]);
  t.deepEqual(
    [0, 1, 2].map((c) => Buffer.from(index.chunkDigest(c) ?? [])),
    ['1', '2', '3'].map(bytesOf),
  );
});

test('files that share a member share its offset and its end', async (t) => {
  const { index } = await indexOf(t, [
    reg('a', 9, 0, { ...D, innerOffset: 512 }),
    reg('b', 9, 0, { ...D, innerOffset: 2048 }),
    reg('c', 9, 700, { ...D, innerOffset: 512 }),
    reg('d', 9, 700, D),
  ]);
  t.deepEqual(chunksOf(index, 'a'), [[0, 700, 512, 0, 9]]);
  t.deepEqual(chunksOf(index, 'b'), [[0, 700, 2048, 0, 9]]);
  t.deepEqual(chunksOf(index, 'c'), [[700, Number.POSITIVE_INFINITY, 512, 0, 9]]);
  t.deepEqual(chunksOf(index, 'd'), [[700, Number.POSITIVE_INFINITY, 0, 0, 9]]);
});

test('files stand in the order of their bytes in the blob, inodes in that of the TOC', async (t) => {
  const { index } = await indexOf(t, [
    reg('late', 9, 900, D),
    reg('inner', 9, 100, { ...D, innerOffset: 600 }),
    reg('early', 9, 100, D),
    reg('middle', 9, 500, D),
  ]);
  t.deepEqual(
    [0, 1, 2, 3].map((c) => index.path(index.chunkInode(c))),
    ['early', 'inner', 'middle', 'late'],
  );
  t.deepEqual(
    [1, 2, 3, 4].map((inode) => index.path(inode)),
    ['late', 'inner', 'early', 'middle'],
  );
});

test('chunkAt finds the first chunk from a place of the blob on', async (t) => {
  const { index } = await indexOf(t, [reg('a', 9, 100, D), reg('b', 9, 200, D), reg('c', 9, 300, D)]);
  t.deepEqual(
    [0, 100, 101, 200, 300, 301, TOC_OFFSET].map((offset) => index.chunkAt(offset)),
    [0, 0, 1, 1, 2, 3, 3],
  );
});

test('members end at offsets of landmarks, replaced files and empty files, too', async (t) => {
  const { index } = await indexOf(t, [
    reg('a', 9, 100, D),
    reg('.no.prefetch.landmark', 1, 200),
    reg('b', 9, 300, D),
    reg('twice', 9, 400, D),
    reg('c', 9, 500, D),
    reg('empty', 0, 600),
    reg('twice', 9, 700, D),
  ]);
  t.is(index.chunkEnd(index.chunkFirst(index.find('a'))), 200);
  t.is(index.chunkEnd(index.chunkFirst(index.find('b'))), 400);
  t.is(index.chunkEnd(index.chunkFirst(index.find('c'))), 600);
  t.is(index.chunks, 4);
  t.is(index.chunkCount(index.find('empty')), 0);
});

test('places and sizes beyond 4 GiB are kept exactly', async (t) => {
  const tocOffset = 2 ** 45;
  const { index } = await indexOf(
    t,
    [reg('a', 2 ** 40 + 3, 2 ** 32 + 1, { ...D, innerOffset: 2 ** 33 + 5 }), reg('b', 1, 2 ** 44 + 9, D)],
    tocOffset,
  );
  t.deepEqual(chunksOf(index, 'a'), [[2 ** 32 + 1, 2 ** 44 + 9, 2 ** 33 + 5, 0, 2 ** 40 + 3]]);
  t.is(index.size(index.find('a')), 2 ** 40 + 3);
  t.is(index.contentSize, 2 ** 40 + 4);
});

test("an object is named by the file's digest", async (t) => {
  const { index } = await indexOf(t, [file('a', 100, 'hello')]);
  const inode = index.find('a');
  t.is(index.key(inode), hex('hello'));
  t.deepEqual(Buffer.from(index.keyBytes(inode)), bytesOf('hello'));
  t.deepEqual(index.fileDigest(inode), index.keyBytes(inode));
  t.is(index.objectName(inode), hex('hello'));
  t.is(index.chunkDigest(index.chunkFirst(inode)), null);
  t.false(index.unverified);
});

test('equal digests of a file and its only chunk are one', async (t) => {
  const { index } = await indexOf(t, [file('a', 100, 'hello', { chunkDigest: sha256('hello') })]);
  t.is(index.key(index.find('a')), hex('hello'));
  t.is(index.chunkDigest(0), null);
});

test('without a digest of the file, that of its only chunk names the object', async (t) => {
  const { index } = await indexOf(t, [reg('a', 5, 100, { chunkDigest: sha256('hello'), chunkSize: 5 })]);
  t.is(index.key(index.find('a')), hex('hello'));
  t.is(index.objectName(index.find('a')), hex('hello'));
  t.is(index.chunkDigest(0), null);
});

for (const [what, digest, whole] of [
  ['without a digest of the file', {}, null],
  ['whatever the digest of the file', D, hex('whole')],
] as const) {
  test(`${what}, those of all its chunks and their sizes name the object`, async (t) => {
    const { index } = await indexOf(t, [
      reg('a', 15, 100, { ...digest, chunkSize: 10, chunkDigest: sha256('1') }),
      chunk(200, 10, { chunkDigest: sha256('2') }),
    ]);
    const sizes = [Buffer.alloc(8), Buffer.alloc(8)];
    sizes[0]?.writeBigUInt64LE(10n);
    sizes[1]?.writeBigUInt64LE(5n);
    const key = createHash('sha256')
      .update('crfs-chunks\0')
      .update(sizes[0] as Buffer)
      .update(bytesOf('1'))
      .update(sizes[1] as Buffer)
      .update(bytesOf('2'));
    const inode = index.find('a');
    const fileDigest = index.fileDigest(inode);
    t.is(index.objectName(inode), `${key.digest('hex')}-named`);
    t.is(fileDigest && Buffer.from(fileDigest).toString('hex'), whole);
    t.false(index.isCheckedWhole(inode));
    t.false(index.unverified);
    t.deepEqual(Buffer.from(index.chunkDigest(1) ?? []), bytesOf('2'));
  });
}

test('a file of several chunks, one of them without a digest, is checked whole by its own', async (t) => {
  const { index } = await indexOf(t, [
    reg('a', 15, 100, { ...D, chunkSize: 10, chunkDigest: sha256('1') }),
    chunk(200, 10),
  ]);
  t.is(index.objectName(index.find('a')), hex('whole'));
  t.true(index.isCheckedWhole(index.find('a')));
  t.deepEqual(Buffer.from(index.chunkDigest(0) ?? []), bytesOf('1'));
  t.is(index.chunkDigest(1), null);
  t.false(index.unverified);
});

test('an empty file is named by the digest of no bytes, told or not', async (t) => {
  const { index } = await indexOf(t, [
    { name: 'a', type: 'reg' },
    { name: 'b', type: 'reg', digest: sha256('') },
  ]);
  for (const path of ['a', 'b']) {
    t.is(index.key(index.find(path)), hex(''));
    t.is(index.objectName(index.find(path)), hex(''));
    t.is(index.chunkCount(index.find(path)), 0);
  }
  t.false(index.unverified);
});

for (const [what, entries] of [
  ['of one chunk', [reg('a', 9, 100)]],
  ['of several chunks', [reg('a', 9, 100, { chunkSize: 5 }), chunk(200, 5)]],
  [
    'of chunks of which one has no digest',
    [reg('a', 9, 100, { chunkSize: 5, chunkDigest: sha256('1') }), chunk(200, 5)],
  ],
] as const) {
  test(`a file ${what} without any digest belongs to its blob alone`, async (t) => {
    const json = tocJson([...entries, file('verified', 500)]);
    const one = await indexBlob(t, await blobOf(json), 'one');
    const again = await indexBlob(t, await blobOf(json), 'one');
    const two = await indexBlob(t, await blobOf(json), 'two');
    t.true(one.index.unverified);
    t.true(one.summary.unverified);
    t.is(one.index.fileDigest(one.index.find('a')), null);
    t.false(one.index.isCheckedWhole(one.index.find('a')));
    t.is(one.index.key(1), again.index.key(1));
    t.not(one.index.key(1), two.index.key(1));
    t.is(one.index.key(2), two.index.key(2));
    t.is(one.summary.key, again.summary.key);
    t.not(one.summary.key, two.summary.key);
    t.is(headerOf(one.bytes).key, one.summary.key);
    t.is(headerOf(two.bytes).key, two.summary.key);
    t.not(headerOf(one.bytes).inoBase, headerOf(two.bytes).inoBase);
    t.is(one.summary.tocDigest, two.summary.tocDigest);
  });
}

test('files without a digest at other places are other objects', async (t) => {
  const { index } = await indexOf(t, [
    reg('a', 9, 100),
    reg('b', 9, 200),
    reg('c', 9, 200, { innerOffset: 512 }),
    reg('d', 8, 200),
  ]);
  t.is(new Set([1, 2, 3, 4].map((inode) => index.key(inode))).size, 4);
});

const refused: readonly (readonly [what: string, entries: readonly Fields[], message: string])[] = [
  ['content without an offset', [reg('a', 9, 0, D)], 'file "a": has content, but no offset in the blob'],
  [
    'a chunk without an offset',
    [reg('a', 9, 100, { ...D, chunkSize: 5 }), chunk(0, 5)],
    'file "a": has content, but no offset in the blob',
  ],
  [
    'a file that starts at the TOC',
    [reg('a', 9, TOC_OFFSET, D)],
    'file "a": starts at 1000000, not before the TOC at 1000000',
  ],
  [
    'a file that starts behind the blob',
    [reg('a', 9, 2 ** 53 - 1, D)],
    'file "a": starts at 9007199254740991, not before the TOC at 1000000',
  ],
  ['a chunk before any file', [chunk(100, 0)], 'a chunk stands before any regular file'],
  ['a chunk of an empty file', [reg('a', 0, 100), chunk(200, 0)], 'file "a": the chunk at 0 leaves its 0 bytes'],
  [
    'a chunk larger than its file',
    [reg('a', 9, 100, { ...D, chunkSize: 10 })],
    'file "a": the chunk at 0 leaves its 9 bytes',
  ],
  [
    'a chunk that starts at the end of its file',
    [reg('a', 9, 100, { ...D, chunkSize: 5 }), chunk(200, 9)],
    'file "a": the chunk at 9 leaves its 9 bytes',
  ],
  [
    'a chunk that starts beyond all numbers',
    [reg('a', 9, 100, { ...D, chunkSize: 5 }), chunk(200, 2 ** 53 - 1, { chunkSize: 2 ** 53 - 1 })],
    'file "a": the chunk at 9007199254740991 leaves its 9 bytes',
  ],
  ['a gap at the start', [reg('a', 9, 100, { ...D, chunkOffset: 1 })], 'file "a": no chunk for byte 0'],
  ['a gap between chunks', [reg('a', 9, 100, { ...D, chunkSize: 3 }), chunk(200, 5)], 'file "a": no chunk for byte 3'],
  ['a gap at the end', [reg('a', 9, 100, { ...D, chunkSize: 5 })], 'file "a": no chunk for byte 5'],
  [
    'chunks that overlap',
    [reg('a', 9, 100, { ...D, chunkSize: 5 }), chunk(200, 4)],
    'file "a": more than one chunk for byte 4',
  ],
  [
    'a chunk told twice',
    [reg('a', 9, 100, { ...D, chunkSize: 5 }), chunk(200, 5), chunk(200, 5)],
    'file "a": more than one chunk for byte 5',
  ],
  [
    'a chunk of a file that is whole already',
    [reg('a', 9, 100, D), chunk(200, 5)],
    'file "a": more than one chunk for byte 5',
  ],
  [
    'two digests of the same bytes',
    [reg('a', 9, 100, { digest: sha256('1'), chunkDigest: sha256('2') })],
    'file "a": its digest differs from that of its only chunk',
  ],
  [
    'a false digest of an empty file',
    [reg('a', 0, 0, D)],
    'file "a": is empty, and its digest is not that of no bytes',
  ],
  [
    'more content than its bytes can inflate to',
    [reg('a', 103_201, 100, D), reg('b', 1, 200, D)],
    'file "a": the 100 bytes of the blob at 100 cannot inflate to 103201',
  ],
  [
    'an inner offset that its bytes cannot reach',
    [reg('a', 1, 100, { ...D, innerOffset: 2 ** 53 - 1 })],
    'file "a": the 999900 bytes of the blob at 100 cannot inflate to 9007199254740992',
  ],
];

for (const [what, entries, message] of refused) {
  test(`refuses ${what}`, async (t) => {
    await t.throwsAsync(() => indexOf(t, entries), { code: 'CRFS_BAD_LAYER', message: `layer: ${message}` });
  });
}

test('takes the very most that bytes can inflate to', async (t) => {
  const { index } = await indexOf(t, [reg('a', 103_200, 100, D), reg('b', 1, 200, D)]);
  t.is(index.size(index.find('a')), 103_200);
});
