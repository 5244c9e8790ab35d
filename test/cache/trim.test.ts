// SPDX-License-Identifier: GPL-3.0-or-later

/** What goes when the cache is made smaller, and in which order. */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { trim } from '../../src/main/cache/trim.js';
import { CacheLayout, objectPath } from '../../src/main/disk/cache-layout.js';

const SIZE = 64 << 10;

/** The layout of an empty cache. */
function place(t: ExecutionContext): CacheLayout {
  const path = mkdtempSync(join(tmpdir(), 'crfs-trim-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  const layout = new CacheLayout(path);
  for (const directory of layout.directories) mkdirSync(directory, { recursive: true });
  return layout;
}

/** A file of SIZE bytes that nobody has used for so many hours. */
function put(path: string, hours: number): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, randomBytes(SIZE));
  const used = Date.now() / 1000 - hours * 3600;
  utimesSync(path, used, used);
  return path;
}

function putObject(layout: CacheLayout, name: string, hours: number): string {
  return put(objectPath(layout.objects, name), hours);
}

const there = (files: readonly string[]): boolean[] => files.map((file) => existsSync(file));

test('what was not used for longest goes first, and no more than has to', async (t) => {
  const layout = place(t);
  const files = [
    putObject(layout, 'aaaa', 2),
    put(layout.index('k'), 4),
    putObject(layout, 'bbbb', 1),
    putObject(layout, 'cccc', 3),
  ];
  t.like(await trim(layout, 4 * SIZE), { removed: 0, left: 4 * SIZE });
  t.like(await trim(layout, 4 * SIZE - 1), { removed: 1, freed: SIZE, left: 3 * SIZE });
  t.deepEqual(there(files), [true, false, true, true]);
  t.like(await trim(layout, SIZE), { removed: 2, left: SIZE });
  t.deepEqual(there(files), [false, false, true, false]);
  t.like(await trim(layout, 0), { removed: 1, left: 0 });
});

test('with mounts, what they need stays, and what they may have found just now; contents go all the same', async (t) => {
  const layout = place(t);
  const needed = put(layout.blob('b'), 9);
  const files = [needed, put(layout.index('found'), 0), put(layout.index('old'), 9), putObject(layout, 'aaaa', 0)];
  t.like(await trim(layout, 0, new Set([needed])), { removed: 2, left: 2 * SIZE, pinned: SIZE, fresh: SIZE });
  t.deepEqual(there(files), [true, true, false, false]);
  t.like(await trim(layout, 0), { removed: 2, left: 0, pinned: 0 });
});

test('what was used by a clock that was ahead goes first, and keeps nothing for mounts', async (t) => {
  const layout = place(t);
  const files = [putObject(layout, 'aaaa', 2), putObject(layout, 'bbbb', -9000), put(layout.index('old'), -24)];
  t.like(await trim(layout, SIZE, new Set()), { removed: 2, left: SIZE, fresh: 0 });
  t.deepEqual(there(files), [true, false, false]);
});

test('where mounts need all of the limit, a quarter of it is for contents beside that', async (t) => {
  const layout = place(t);
  const blobs = Array.from({ length: 8 }, (_, n) => put(layout.blob(`b${n}`), 9));
  const objects = ['aaaa', 'bbbb', 'cccc', 'dddd'].map((name, n) => putObject(layout, name, n + 1));
  t.like(await trim(layout, 8 * SIZE, new Set(blobs)), { removed: 2, left: 10 * SIZE, pinned: 8 * SIZE });
  t.deepEqual(there(objects), [true, true, false, false]);
});
