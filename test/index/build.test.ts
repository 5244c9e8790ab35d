// SPDX-License-Identifier: GPL-3.0-or-later

/** The file that an index is: how it comes to be, and what becomes of it when a layer is refused. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { recognise } from '../../src/main/formats/recognise.js';
import { buildIndex } from '../../src/main/index/build.js';
import { indexMemory } from '../../src/main/index/memory.js';
import { addon } from '../../src/native/addon.js';
import { blobOf, directory, file, indexOf, layerOf, tocJson } from '../tools/toc.js';

function place(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'crfs-build-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return join(path, 'index');
}

test('the index is a file that nobody else reads and nobody writes', async (t) => {
  const path = place(t);
  await buildIndex({
    layer: await recognise(await blobOf(tocJson([file('a', 10)]))),
    path,
    memoryLimit: indexMemory(0),
    blobIdentity: '',
  });
  t.is(statSync(path).mode & 0o7777, 0o400);
  t.is(readdirSync(join(path, '..')).length, 1);
});

test('what is made is not left mapped', async (t) => {
  const path = place(t);
  await buildIndex({
    layer: await recognise(await blobOf(tocJson([file('a', 10)]))),
    path,
    memoryLimit: indexMemory(0),
    blobIdentity: '',
  });
  t.false(readFileSync('/proc/self/maps', 'utf8').includes(path));
});

test('equal layers have equal indexes, byte for byte', async (t) => {
  const entries = [directory('d'), file('d/a', 10), { name: 'l', type: 'symlink', linkName: 'd' }];
  const [one, two] = [await indexOf(t, entries), await indexOf(t, entries)];
  t.true(one.bytes.equals(two.bytes));
});

test('an index is sound, and no longer with one byte less', async (t) => {
  const { bytes } = await indexOf(t, [file('d/a', 10)]);
  t.is(addon.indexCheck(bytes), null);
  t.is(addon.indexCheck(bytes.subarray(0, -1)), 'index: size differs from its header');
});

test('a layer that is refused leaves no file behind', async (t) => {
  const path = place(t);
  for (const entries of [[file('../a', 10)], [file('a', 10, 'x'.repeat(9e5)), file('b', 20)]]) {
    const layer = await recognise(await blobOf(tocJson(entries)));
    await t.throwsAsync(() => buildIndex({ layer, path, memoryLimit: indexMemory(0), blobIdentity: '' }), {
      code: 'CRFS_BAD_LAYER',
    });
    t.false(existsSync(path));
  }
});

test('a file that stands at the place already is not touched', async (t) => {
  const path = place(t);
  writeFileSync(path, 'mine');
  const layer = await recognise(await blobOf(tocJson([])));
  await t.throwsAsync(() => buildIndex({ layer, path, memoryLimit: indexMemory(0), blobIdentity: '' }), {
    code: 'CRFS_INTERNAL',
    message: `${path}: cannot be written: file already exists`,
  });
  t.is(statSync(path).size, 4);
});

test('says that the directory is missing', async (t) => {
  const layer = await recognise(await blobOf(tocJson([file('a', 10)])));
  const path = join(place(t), 'index');
  await t.throwsAsync(() => buildIndex({ layer, path, memoryLimit: indexMemory(0), blobIdentity: '' }), {
    code: 'CRFS_INTERNAL',
    message: `${path}: cannot be written: no such file or directory`,
  });
});

test('a TOC that cannot be read to its end names the layer', async (t) => {
  const path = place(t);
  const layer = await recognise(await blobOf('{"version":1,"entries":[{"name":'));
  await t.throwsAsync(() => buildIndex({ layer, path, memoryLimit: indexMemory(0), blobIdentity: '' }), {
    code: 'CRFS_BAD_LAYER',
    message: 'layer: TOC: truncated at byte 32',
  });
});

const LIMIT = 24 << 20;
const ENDLESS = 1_000_000;

/** TOCs that say much with few bytes, each of another kind: what an entry is, by its number. */
const greedy: Readonly<Record<string, (n: number) => Record<string, unknown>>> = {
  directories: (n) => directory(n.toString(36)),
  chunks: (n) =>
    n === 0
      ? file('f', 10, 'x', { size: 1e12, chunkSize: 1, digest: '' })
      : { name: 'f', type: 'chunk', offset: 10 + n, chunkOffset: n, chunkSize: 1 },
  xattrs: (n) =>
    directory(`d${n}`, { xattrs: Object.fromEntries(Array.from({ length: 500 }, (_, x) => [`user.${x}`, ''])) }),
  'long paths': (n) => directory(`${'p'.repeat(200)}/`.repeat(18) + n),
  'symlinks of long targets': (n) => ({ name: `${n}`, type: 'symlink', linkName: 'x'.repeat(4000) }),
  'hardlinks to what never comes': (n) => ({ name: `${n}`, type: 'hardlink', linkName: `${'x/'.repeat(1500)}${n}` }),
};

for (const [what, entry] of Object.entries(greedy)) {
  test(`a TOC of so many ${what} that its index takes too much memory is refused`, async (t) => {
    let taken = 0;
    const json = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"version":1,"entries":[');
      for (; taken < ENDLESS; taken++) yield Buffer.from(`${taken > 0 ? ',' : ''}${JSON.stringify(entry(taken))}`);
      yield Buffer.from(']}');
    };
    const layer = layerOf(json(), 2 ** 40);
    const path = place(t);
    const before = process.memoryUsage().arrayBuffers;
    await t.throwsAsync(() => buildIndex({ layer, path, memoryLimit: LIMIT, blobIdentity: '' }), {
      code: 'CRFS_BAD_LAYER',
      message: `layer: its index takes more than ${LIMIT} bytes of memory to make: see index-memory`,
    });
    t.true(taken < ENDLESS, 'it is not read to its end');
    t.false(existsSync(path));
    t.true(process.memoryUsage().arrayBuffers < before + LIMIT, 'and what was taken is given back');
  });
}
