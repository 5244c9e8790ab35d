// SPDX-License-Identifier: GPL-3.0-or-later

/** Chunks in zstd frames, and chunks of zeros, for which no byte stands in the blob. */

import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { ZSTD } from '../../src/main/formats/codec.js';
import type { IndexReader } from '../../src/main/index/reader.js';
import { type Fields, indexLayer, layerOf, sha256, tocJson } from '../tools/toc.js';

const D = { digest: sha256('whole') };

async function indexed(t: ExecutionContext, entries: readonly Fields[]): Promise<IndexReader> {
  const json = Readable.from([Buffer.from(tocJson(entries))]);
  return (await indexLayer(t, { ...layerOf(json), codec: ZSTD })).index;
}

function places(index: IndexReader, path: string): [offset: number, end: number, zeros: boolean][] {
  const first = index.chunkFirst(index.find(path));
  return Array.from({ length: index.chunkCount(index.find(path)) }, (_, n) => {
    return [index.chunkOffset(first + n), index.chunkEnd(first + n), index.isZeros(first + n)];
  });
}

const reg = (name: string, size: number, more: Fields): Fields => ({ name, type: 'reg', size, ...more });
const chunk = (chunkOffset: number, chunkSize: number, more: Fields): Fields => ({
  type: 'chunk',
  chunkOffset,
  chunkSize,
  ...more,
});
const zeros = { chunkType: 'zeros' };

test('a chunk ends where its file ends in the blob, if that is told', async (t) => {
  const index = await indexed(t, [
    reg('a', 9, { ...D, offset: 100, endOffset: 150 }),
    reg('b', 20, { ...D, offset: 500, endOffset: 900, chunkSize: 10 }),
    chunk(10, 10, { offset: 700 }),
  ]);
  t.deepEqual(places(index, 'a'), [[100, 150, false]]);
  t.deepEqual(places(index, 'b'), [
    [500, 700, false],
    [700, 900, false],
  ]);
});

test('zeros take no bytes of the blob, whether some are written for them or not', async (t) => {
  const index = await indexed(t, [
    reg('a', 40, { ...D, offset: 100, endOffset: 500, chunkSize: 10 }),
    chunk(10, 10, { ...zeros, offset: 200 }),
    chunk(20, 10, { offset: 300 }),
    chunk(30, 10, zeros),
    reg('first', 2 ** 50, { ...zeros, digest: sha256('never read') }),
  ]);
  t.deepEqual(places(index, 'a'), [
    [100, 200, false],
    [200, 200, true],
    [300, 500, false],
    [300, 300, true],
  ]);
  t.is(index.size(index.find('first')), 2 ** 50);
  t.true(index.isZeros(index.chunkFirst(index.find('first'))));
});

test('zeros are named by how many they are, whatever digests a TOC claims for them', async (t) => {
  const digest = sha256('no zeros');
  const index = await indexed(t, [
    reg('at', 10, { digest, offset: 100 }),
    reg('none', 10, zeros),
    reg('claimed', 10, { ...zeros, digest }),
    reg('more', 11, { ...zeros, digest }),
    reg('two', 10, { ...zeros, chunkSize: 5, chunkDigest: digest }),
    chunk(5, 5, zeros),
    reg('two of none', 10, { ...zeros, digest, chunkSize: 5 }),
    chunk(5, 5, zeros),
  ]);
  const [at, none, claimed, more, two, twoOfNone] = ['at', 'none', 'claimed', 'more', 'two', 'two of none'].map(
    (path) => index.objectName(index.find(path)),
  );
  t.is(at, digest.slice('sha256:'.length));
  t.is(none, claimed);
  t.is(two, twoOfNone);
  t.is(new Set([at, none, more, two]).size, 4);
  t.false(index.unverified);
  const claims = ['none', 'claimed'].map((path) => index.chunkDigest(index.chunkFirst(index.find(path))));
  t.deepEqual(claims[1] && `sha256:${Buffer.from(claims[1]).toString('hex')}`, digest);
  t.is(claims[0], null);
  t.is(index.fileDigest(index.find('two of none')), null);
});

test('files whose chunks lack digests are named by all of their places', async (t) => {
  const index = await indexed(t, [
    reg('a', 20, { offset: 100, chunkSize: 10 }),
    chunk(10, 10, { offset: 200 }),
    reg('b', 20, { offset: 100, chunkSize: 10 }),
    chunk(10, 10, { offset: 300 }),
    reg('c', 20, { offset: 100, chunkSize: 10 }),
    chunk(10, 10, zeros),
  ]);
  t.is(new Set(['a', 'b', 'c'].map((path) => index.objectName(index.find(path)))).size, 3);
  t.true(index.unverified);
});

test('a layer whose first file is zeros has an index', async (t) => {
  const index = await indexed(t, [reg('a', 10, { ...D, ...zeros }), reg('b', 9, { ...D, offset: 100 })]);
  t.true(index.isZeros(index.chunkFirst(index.find('a'))));
});

for (const [what, entry, message] of [
  [
    'a frame that cannot hold the chunk',
    reg('a', 2 ** 20, { ...D, offset: 100, endOffset: 131 }),
    /the 31 bytes .* cannot inflate to/,
  ],
  ['content without an offset', reg('a', 9, D), /no offset in the blob/],
  ['zeros behind the TOC', reg('a', 9, { ...D, ...zeros, offset: 2 ** 40 }), /not before the TOC/],
  ['a kind of chunk that there is not', reg('a', 9, { ...D, offset: 100, chunkType: 'ones' }), /chunkType is "ones"/],
  ['an end that is no number', reg('a', 9, { ...D, offset: 100, endOffset: -1 }), /endOffset is -1/],
] as const) {
  test(`refuses ${what}`, async (t) => {
    await t.throwsAsync(() => indexed(t, [entry]), { code: 'CRFS_BAD_LAYER', message });
  });
}

test('takes as much out of a frame as zstd can put into it', async (t) => {
  const index = await indexed(t, [reg('a', 2 ** 20, { ...D, offset: 100, endOffset: 132 })]);
  t.deepEqual(places(index, 'a'), [[100, 132, false]]);
});
