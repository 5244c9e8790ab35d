// SPDX-License-Identifier: GPL-3.0-or-later

import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fileSource, openFileSource } from '../../src/main/sources/file.js';

function place(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-file-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, 'layer');
}

test('reads any range of a file, and tells its size', async (t) => {
  const path = place(t);
  writeFileSync(path, 'abcdefgh');
  const source = openFileSource(path);
  t.is(source.size, 8);
  t.is(source.name, path);
  t.is(String(await source.read(2, 3)), 'cde');
  t.is((await source.read(8, 0)).length, 0);
  await source.close();
  await source.close();
});

test('reads a descriptor under the name that it is given, wherever its own position stands', async (t) => {
  const path = place(t);
  writeFileSync(path, 'abcdefgh');
  const source = fileSource(openSync(path, 'r'), 'the blob');
  t.is(source.name, 'the blob');
  t.is(String(await source.read(4, 4)), 'efgh');
  t.is(String(await source.read(0, 4)), 'abcd');
  await source.close();
});

for (const [offset, length] of [
  [7, 2],
  [9, 0],
  [-1, 1],
  [0, -1],
  [Number.NaN, 1],
] as const) {
  test(`refuses to read ${length} bytes at ${offset} of 8`, async (t) => {
    const path = place(t);
    writeFileSync(path, 'abcdefgh');
    const source = openFileSource(path);
    await t.throwsAsync(() => source.read(offset, length), {
      code: 'CRFS_BAD_LAYER',
      message: `${path}: asked for ${length} bytes at ${offset} of 8 bytes`,
    });
    await source.close();
  });
}

test('says that a file was truncated while open', async (t) => {
  const path = place(t);
  writeFileSync(path, 'abcdefgh');
  const source = openFileSource(path);
  truncateSync(path, 3);
  await t.throwsAsync(() => source.read(0, 8), {
    code: 'CRFS_BAD_LAYER',
    message: `${path}: truncated while open: 8 bytes at first, now it ends at 3`,
  });
  await source.close();
});

test('says when there is no such file', (t) => {
  const path = place(t);
  t.throws(() => openFileSource(path), {
    code: 'CRFS_NOT_FOUND',
    message: `${path}: cannot be opened: no such file or directory`,
  });
});

test('refuses a directory', (t) => {
  t.throws(() => openFileSource(tmpdir()), {
    code: 'CRFS_USAGE',
    message: `${tmpdir()}: is no regular file, and so no layer: write oci:DIR or dir:DIR for an image in a directory`,
  });
});

test('refuses a fifo without waiting for a writer', (t) => {
  const path = place(t);
  execFileSync('mkfifo', [path]);
  t.throws(() => openFileSource(path), { code: 'CRFS_USAGE' });
});
