// SPDX-License-Identifier: GPL-3.0-or-later

/** Files that appear as a whole, or not at all. */

import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { writeWhole } from '../../src/main/blob/write-whole.js';
import { scratch } from './setting.js';

test('a file is replaced when it is whole, where a symlink leads, and not before', async (t) => {
  const directory = scratch(t);
  const [path, link] = [join(directory, 'file'), join(directory, 'link')];
  writeFileSync(path, 'old');
  symlinkSync('file', link);
  await writeWhole(link, async (file) => {
    await file.write('new');
    t.is(readFileSync(path, 'utf8'), 'old');
  });
  t.is(readFileSync(path, 'utf8'), 'new');
  t.true(lstatSync(link).isSymbolicLink());
  t.deepEqual(readdirSync(directory), ['file', 'link']);
});

test('where writing fails, all is as it was', async (t) => {
  const directory = scratch(t);
  const path = join(directory, 'file');
  const fails = (code: string) =>
    writeWhole(path, async (file) => {
      await file.write('half');
      throw Object.assign(new Error('it fails'), { code });
    });
  await t.throwsAsync(fails('EIO'), { code: 'EIO' });
  t.deepEqual(readdirSync(directory), []);
  writeFileSync(path, 'old');
  await t.throwsAsync(fails('ENOSPC'), { code: 'CRFS_NO_SPACE', message: `no space left to write ${path}` });
  t.is(readFileSync(path, 'utf8'), 'old');
  t.deepEqual(readdirSync(directory), ['file']);
});

test('what is no file is not replaced, and what cannot be made is told', async (t) => {
  const directory = scratch(t);
  mkdirSync(join(directory, 'directory'));
  const write = async (path: string): Promise<void> => await writeWhole(path, async () => t.fail());
  for (const path of [join(directory, 'directory'), '/dev/null', join(directory, 'none/file')]) {
    await t.throwsAsync(write(path), { code: 'CRFS_DENIED', message: /^cannot write / }, path);
  }
  t.deepEqual(readdirSync(directory), ['directory']);
});
