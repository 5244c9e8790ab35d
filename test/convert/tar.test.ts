// SPDX-License-Identifier: GPL-3.0-or-later

/** What is read of tars, entry by entry. */

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import { LayerFault } from '../../src/main/formats/fault.js';
import { TarReader } from '../../src/main/tar/reader.js';
import { noise } from '../tools/content.js';
import { tarEnd, tarEntry } from '../tools/tar-writer.js';

interface Read {
  readonly name: string;
  readonly seconds: number;
  readonly content: Buffer;
}

async function entriesOf(parts: readonly Uint8Array[], isWhole = false): Promise<Read[]> {
  const reader = new TarReader(Readable.from([Buffer.concat(parts)]), new Map(), isWhole);
  const entries: Read[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const content = await buffer(reader.content());
    entries.push({ name: entry.name.toString(), seconds: entry.mtime.seconds, content });
  }
  return entries;
}

const BLOCK = 512;

for (const count of [4, 5, 25, 26, 60]) {
  test(`all ${count} parts of a sparse file in the old form of GNU tar are read`, async (t) => {
    const data = noise(count * BLOCK);
    const map = Array.from({ length: count }, (_, n) => [2 * n * BLOCK, BLOCK] as const);
    const size = 2 * count * BLOCK;
    const whole = Buffer.alloc(size);
    for (const [n, [offset]] of map.entries()) data.copy(whole, offset, n * BLOCK, (n + 1) * BLOCK);
    const entry = tarEntry({ name: 'holes', content: data, sparse: { size, map } }, 'gnu');
    const [holes, next] = await entriesOf([entry, tarEntry({ name: 'next' }), tarEnd]);
    t.true(holes?.content.equals(whole));
    t.is(next?.name, 'next');
  });
}

for (const form of ['pax', 'gnu'] as const) {
  test(`parts of a sparse file that overlap, or do not rise, are refused: ${form}`, async (t) => {
    for (const second of [0, BLOCK - 1]) {
      const map = [[0, BLOCK] as const, [second, BLOCK] as const];
      const entry = tarEntry({ name: 'f', content: noise(2 * BLOCK), sparse: { size: 4 * BLOCK, map } }, form);
      await t.throwsAsync(entriesOf([entry, tarEnd]), { instanceOf: LayerFault, message: /is wrong at offset/ });
    }
  });
}

test('a tar that nobody has cut may lack its end, but not within an entry', async (t) => {
  const file = tarEntry({ name: 'file', content: 'content' });
  t.is((await entriesOf([file], true)).length, 1);
  t.deepEqual(await entriesOf([], true), []);
  await t.throwsAsync(entriesOf([file]), { instanceOf: LayerFault });
  const extension = tarEntry({ name: 'x', type: 'x', content: '12 path=abc\n' });
  for (const parts of [[extension], [file, extension], [file.subarray(0, BLOCK)]]) {
    await t.throwsAsync(entriesOf(parts, true), { instanceOf: LayerFault });
  }
});

test('a checksum may be of signed bytes, as old programs made it', async (t) => {
  const entry = tarEntry({ name: Buffer.from('caf\xe9', 'latin1') }, 'gnu');
  entry.fill(' ', 148, 156);
  const sum = new Int8Array(entry.buffer, entry.byteOffset, BLOCK).reduce((total, byte) => total + byte, 0);
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  t.is((await entriesOf([entry, tarEnd])).length, 1);
  entry[0] = (entry[0] ?? 0) + 1;
  await t.throwsAsync(entriesOf([entry, tarEnd]), { message: /does not match its checksum/ });
});

test('times of access, as GNU tar keeps them in a header, are no part of the name', async (t) => {
  const entry = tarEntry({ name: 'file' }, 'gnu');
  entry.write('15432116444\0', 345, 'latin1');
  entry.fill(' ', 148, 156);
  const sum = entry.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  t.is((await entriesOf([entry, tarEnd]))[0]?.name, 'file');
});

test('times before 1970 are below zero in either form', async (t) => {
  for (const form of ['pax', 'gnu'] as const) {
    for (const mtime of [-1, -86_400, -(2 ** 40)]) {
      t.is((await entriesOf([tarEntry({ name: 'f', mtime }, form), tarEnd]))[0]?.seconds, mtime, form);
    }
  }
});

test('an empty record takes back what a global header says', async (t) => {
  const global = tarEntry({ name: 'g', type: 'g', content: '14 mtime=5000\n' });
  const file = tarEntry({ name: 'file', mtime: 7 });
  const back = tarEntry({ name: 'x', type: 'x', content: '9 mtime=\n' });
  t.deepEqual(
    (await entriesOf([global, file, back, file, file, tarEnd])).map(({ seconds }) => seconds),
    [5000, 7, 5000],
  );
});
