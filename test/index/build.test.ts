// SPDX-License-Identifier: GPL-3.0-or-later

/** The file that an index is: how it comes to be, and what becomes of it when a layer is refused. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openToc } from '../../src/main/formats/toc.js';
import { buildIndex } from '../../src/main/index/build.js';
import { addon } from '../../src/native/addon.js';
import { blobOf, directory, file, indexOf, tocJson } from '../tools/toc.js';

function place(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'crfs-build-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return join(path, 'index');
}

test('the index is a file that nobody else reads and nobody writes', async (t) => {
  const path = place(t);
  await buildIndex({ toc: await openToc(await blobOf(tocJson([file('a', 10)]))), path, blobIdentity: '' });
  t.is(statSync(path).mode & 0o7777, 0o400);
  t.is(readdirSync(join(path, '..')).length, 1);
});

test('what is made is not left mapped', async (t) => {
  const path = place(t);
  await buildIndex({ toc: await openToc(await blobOf(tocJson([file('a', 10)]))), path, blobIdentity: '' });
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
    const toc = await openToc(await blobOf(tocJson(entries)));
    await t.throwsAsync(() => buildIndex({ toc, path, blobIdentity: '' }), { code: 'CRFS_BAD_LAYER' });
    t.false(existsSync(path));
  }
});

test('a file that stands at the place already is not touched', async (t) => {
  const path = place(t);
  writeFileSync(path, 'mine');
  const toc = await openToc(await blobOf(tocJson([])));
  await t.throwsAsync(() => buildIndex({ toc, path, blobIdentity: '' }), {
    code: 'CRFS_INTERNAL',
    message: `${path}: cannot be written: file already exists`,
  });
  t.is(statSync(path).size, 4);
});

test('says that the directory is missing', async (t) => {
  const toc = await openToc(await blobOf(tocJson([file('a', 10)])));
  const path = join(place(t), 'index');
  await t.throwsAsync(() => buildIndex({ toc, path, blobIdentity: '' }), {
    code: 'CRFS_INTERNAL',
    message: `${path}: cannot be written: no such file or directory`,
  });
});

test('a TOC that cannot be read to its end names the layer', async (t) => {
  const path = place(t);
  const toc = await openToc(await blobOf('{"version":1,"entries":[{"name":'));
  await t.throwsAsync(() => buildIndex({ toc, path, blobIdentity: '' }), {
    code: 'CRFS_BAD_LAYER',
    message: 'layer: TOC: truncated at byte 32',
  });
});
