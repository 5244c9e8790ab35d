// SPDX-License-Identifier: GPL-3.0-or-later

/** Objects that a pass over a layer makes as it comes by its files. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { objectPath } from '../../src/main/disk/cache-layout.js';
import { buildIndex } from '../../src/main/index/build.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { layerIn } from '../../src/main/plain/compressed.js';
import { openFileSource } from '../../src/main/sources/file.js';
import type { StreamForm } from '../../src/native/addon.js';
import { Board } from '../../src/workers/board/board.js';
import { type Keeping, PassedFiles } from '../../src/workers/index/passed-files.js';
import { gzip, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const GENERATION = 7;

const contents: Readonly<Record<string, Buffer>> = {
  small: text(1000),
  'of 64 KiB': noise(64 << 10),
  larger: noise((64 << 10) + 1),
  'of several chunks': noise(9 << 20),
  'the same again': text(1000),
  empty: Buffer.alloc(0),
};

interface Pass {
  readonly keeping: Keeping;
  readonly board: Board;
  /** Passes over a tar, and returns its index. */
  readonly over: (tar: Buffer, form: StreamForm) => Promise<IndexReader>;
  /** Where the object of a file of the index has to be. */
  readonly object: (index: IndexReader, name: string) => string;
  /** The files that were kept. */
  readonly kept: () => string[];
}

function scratch(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-passed-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Files in the directories of a directory. */
function filesIn(directory: string): string[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
  return paths.filter((path) => statSync(path).isFile());
}

/** What is kept comes below `root`. */
function pass(
  t: ExecutionContext,
  { bytes = 2 ** 30, files = 1000 }: Partial<Keeping['limit']> = {},
  root = scratch(t),
): Pass {
  const other = scratch(t);
  for (const name of ['objects', 'tmp']) mkdirSync(join(root, name));
  const board = new Board(1);
  board.startGeneration(GENERATION);
  const objects = join(root, 'objects');
  const keeping = {
    board: board.buffer,
    workers: 1,
    objects,
    tmp: join(root, 'tmp'),
    pass: 1,
    limit: { bytes, files },
  };
  let count = 0;
  return {
    keeping,
    board,
    over: async (tar, form) => {
      const blob = join(other, 'blob');
      writeFileSync(blob, form === 'gzip' ? gzip(tar) : zstd(tar));
      const source = openFileSource(blob);
      const passed = new PassedFiles(keeping);
      const path = join(other, `index-${count++}`);
      try {
        const layer = layerIn(source, form, 1 << 20, { sink: passed });
        await buildIndex({ layer, path, memoryLimit: 2 ** 30, blobIdentity: 'blob' });
      } finally {
        passed.close();
        await source.close();
      }
      t.deepEqual(filesIn(join(root, 'tmp')), []);
      return new IndexReader(new Uint8Array(readFileSync(path)));
    },
    object: (index, name) => objectPath(objects, index.objectName(index.find(name))),
    kept: () => filesIn(objects),
  };
}

async function tarOf(t: ExecutionContext, entries = contents): Promise<Buffer> {
  const path = join(scratch(t), 'a.tar');
  writeTar(
    path,
    Object.entries(entries).map(([name, content]) => ({ name, content })),
  );
  return readFileSync(path);
}

test('all files of a layer in zstd become the objects that its index names, of the generation in which they come', async (t) => {
  const { board, over, object, kept } = pass(t);
  const index = await over(await tarOf(t), 'zstd');
  for (const [name, content] of Object.entries(contents)) {
    if (content.length === 0) continue;
    const path = object(index, name);
    t.true(readFileSync(path).equals(content), name);
    t.is(statSync(path).mode & 0o777, 0o400);
    t.is(statSync(path).mtimeMs, GENERATION * 1000);
  }
  t.is(kept().length, 4);
  const { objects, objectBytes } = board.counters.all();
  t.is(objects, 4);
  t.is(objectBytes, 1000 + (64 << 10) + (64 << 10) + 1 + (9 << 20));
});

test('of a layer in gzip, files of up to 64 KiB do', async (t) => {
  const { over, object, kept } = pass(t);
  const index = await over(await tarOf(t), 'gzip');
  t.is(kept().length, 2);
  for (const name of ['small', 'of 64 KiB']) t.true(readFileSync(object(index, name)).equals(contents[name] as Buffer));
});

test('a sparse file is kept with its holes', async (t) => {
  const { over, object } = pass(t);
  const directory = scratch(t);
  await run('sh', [
    '-c',
    'cd "$1" && printf head >s && truncate -s 9M s && printf tail >>s && truncate -s 5M z && tar -cSf a.tar s z',
    'sh',
    directory,
  ]);
  const index = await over(readFileSync(join(directory, 'a.tar')), 'zstd');
  for (const name of ['s', 'z']) {
    const path = object(index, name);
    t.true(readFileSync(path).equals(readFileSync(join(directory, name))), name);
    t.true(statSync(path).blocks < 64, 'holes take no space');
  }
});

test('an object that is there stays', async (t) => {
  const { over, object } = pass(t);
  const tar = await tarOf(t);
  const index = await over(tar, 'zstd');
  const { ino } = statSync(object(index, 'small'));
  rmSync(object(index, 'larger'));
  await over(tar, 'zstd');
  t.is(statSync(object(index, 'small')).ino, ino);
  t.true(readFileSync(object(index, 'larger')).equals(contents['larger'] as Buffer));
});

test('no more is kept than may be', async (t) => {
  for (const [limit, size] of [
    [{ bytes: 100 << 10 }, 30 << 10],
    [{ bytes: 12 << 10 }, 8], // which takes 4 KiB of a disk
    [{ files: 3 }, 8],
  ] as const) {
    const { over, kept } = pass(t, limit);
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [String(n), noise(size, n)]));
    await over(await tarOf(t, many), 'zstd');
    t.is(kept().length, 3);
  }
});

test('a pass goes on where nothing can be kept', async (t) => {
  const { keeping, over } = pass(t);
  rmSync(keeping.objects, { recursive: true });
  const index = await over(await tarOf(t), 'zstd');
  t.is(index.size(index.find('of several chunks')), 9 << 20);
});

mountingTest()('of a file that fills the disk, no part is kept, and nothing behind it', async (t) => {
  const disk = scratch(t);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'none', disk]);
  try {
    const { over, object, kept } = pass(t, {}, disk);
    const index = await over(await tarOf(t), 'zstd');
    t.is(kept().length, 3);
    t.throws(() => statSync(object(index, 'of several chunks')), { code: 'ENOENT' });
    const behind = { first: noise(2 << 20), second: text(10) };
    await over(await tarOf(t, behind), 'zstd');
    t.is(kept().length, 3);
  } finally {
    await run('umount', [disk]);
  }
});

test('of a layer that ends too early, no part of a file is kept', async (t) => {
  const { over, kept } = pass(t);
  const tar = await tarOf(t);
  await t.throwsAsync(over(tar.subarray(0, tar.length - (4 << 20)), 'zstd'), { code: 'CRFS_BAD_LAYER' });
  t.is(kept().length, 3);
});
