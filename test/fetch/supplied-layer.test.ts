// SPDX-License-Identifier: GPL-3.0-or-later

import test, { type ExecutionContext } from 'ava';
import { BLOCK, Blocks } from '../../src/main/fetch/blocks.js';
import type { Remote } from '../../src/main/fetch/remote.js';
import { hereBefore, rangesOf, type SuppliedLayer } from '../../src/main/fetch/supplied-layer.js';
import { type Fields, indexOf, sha256 } from '../tools/toc.js';

const CHUNKS = 100;

interface Setting {
  readonly layer: SuppliedLayer;
  readonly inode: number;
  readonly blocks: Blocks;
}

/** A file of many chunks, each so many blocks of the blob before the next one as `step` says; other files lie between those that are apart. */
async function setting(t: ExecutionContext, step: (chunk: number) => number): Promise<Setting> {
  let block = 1;
  const others: Fields[] = [];
  const chunks = Array.from({ length: CHUNKS }, (_, chunk): Fields => {
    const offset = block * BLOCK;
    block += step(chunk);
    const type = chunk === 0 ? { type: 'reg', size: 10 * CHUNKS, digest: sha256('file') } : { type: 'chunk' };
    const place = { offset, chunkOffset: 10 * chunk, chunkSize: 10, chunkDigest: sha256(`${chunk}`) };
    const other = { name: `${chunk}`, type: 'reg', size: 1, offset: offset + BLOCK, digest: sha256('other') };
    if (step(chunk) > 1) others.push(other);
    return { name: 'file', ...type, ...place };
  });
  const tocOffset = block * BLOCK;
  const { index } = await indexOf(t, [...chunks, ...others], tocOffset);
  const blocks = Blocks.of(tocOffset);
  const layer = { number: 1, name: 'layer', index, tocOffset, remote: { blocks } as unknown as Remote };
  return { layer, inode: index.find('file'), blocks };
}

test('chunks that are here right before one that was asked for are taken to be read with it, up to 64', async (t) => {
  const { layer, inode, blocks } = await setting(t, () => 1);
  t.is(hereBefore(layer, inode, 5), 5);
  for (const chunk of [1, 3, 4]) blocks.add(chunk + 1);
  t.is(hereBefore(layer, inode, 5), 3);
  t.is(hereBefore(layer, inode, 2), 1);
  t.is(hereBefore(layer, inode, 0), 0);
  for (let block = 0; block < blocks.count; block++) blocks.add(block);
  t.is(hereBefore(layer, inode, 5), 0);
  t.is(hereBefore(layer, inode, 90), 26);
});

test('chunks that lie together are one range of the blob', async (t) => {
  const { layer, inode } = await setting(t, (chunk) => (chunk === 2 ? 5 : 1));
  t.deepEqual(rangesOf(layer, { inode, first: 1, count: 4 }), [
    [2 * BLOCK, 4 * BLOCK],
    [8 * BLOCK, 10 * BLOCK],
  ]);
});
