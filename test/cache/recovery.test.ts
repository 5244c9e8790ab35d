// SPDX-License-Identifier: GPL-3.0-or-later

/** What of a cache is trusted after the machine was started anew: docs/reliability.md, "When the machine ends". */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Cache } from '../../src/main/cache/cache.js';
import { blocksOf, type CacheLayout, tocOf } from '../../src/main/disk/cache-layout.js';
import { Store } from '../../src/workers/serve/store.js';
import { until } from '../tools/machine.js';

const OTHER_BOOT = '00000000-0000-4000-8000-000000000000';
const HOUR_MS = 3_600_000;

function place(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'crfs-recovery-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** A file of the cache with this time of modification, in seconds since the epoch. */
function put(path: string, mtime: number): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'x');
  utimesSync(path, Date.now() / 1000, mtime);
  return path;
}

function note(layout: CacheLayout, text: string): void {
  writeFileSync(layout.synced, text);
}

const synced = (generation: number, bootId = OTHER_BOOT): string => JSON.stringify({ bootId, generation });

test('after another boot, what is of a later generation than the synced one is gone, and nothing else', async (t) => {
  const path = place(t);
  const { layout } = new Cache(path);
  const object = (name: string, mtime: number): string => put(join(layout.objects, 'ab', name), mtime);
  const now = Date.now() / 1000;
  const kept = [object('first', 1), object('last', 7), put(layout.index('old'), 7), put(layout.record('r'), now)];
  kept.push(put(layout.blob('b'), now), put(blocksOf(layout.blob('b')), now), put(layout.manifest('m'), now));
  const dropped = [object('later', 8), object('much-later', 5e8), put(layout.index('new'), 8)];
  dropped.push(object('unset', 0), object('of-a-clock', now), object('of-a-clock-set-back', now - 24 * 3600));
  dropped.push(
    object('before-the-epoch', -5),
    put(tocOf(layout.blob('b')), 1),
    put(blocksOf(tocOf(layout.blob('b'))), 1),
  );
  // nothing is said by the times of directories: objects are renamed in, and clocks are set
  const ago = (Date.now() - HOUR_MS) / 1000;
  for (const directory of [layout.objects, join(layout.objects, 'ab'), layout.directory('index')])
    utimesSync(directory, ago, ago);
  note(layout, synced(7));
  const cache = new Cache(path);
  t.is(cache.firstGeneration, 8);
  t.deepEqual(
    kept.filter((file) => !existsSync(file)),
    [],
  );
  t.deepEqual(
    dropped.filter((file) => existsSync(file)),
    [],
  );
});

test('in the same boot nothing is dropped, and numbers go on behind the synced one', async (t) => {
  const path = place(t);
  const first = new Cache(path);
  t.is(first.firstGeneration, 1);
  const object = put(join(first.layout.objects, 'ab', 'later'), 9);
  await first.sync(4);
  await first.sync(2); // one that took longer than the next
  const second = new Cache(path);
  t.is(second.firstGeneration, 5);
  t.true(existsSync(object));
});

test('what a daemon notes when it ends is what the next boot trusts', async (t) => {
  const path = place(t);
  const cache = new Cache(path);
  const { layout } = cache;
  const store = new Store(layout, 0);
  const publish = (name: string, generation: number): string => {
    const facts = { objectName: name, size: name.length, chunks: 1 };
    const fd = store.create(0, facts);
    store.write(fd, Buffer.from(name), 0);
    store.publish(0, fd, facts, generation);
    store.close(fd);
    return join(layout.objects, name.slice(0, 2), name);
  };
  const before = publish('aaaa', cache.firstGeneration);
  await cache.sync(cache.firstGeneration);
  cache.close();
  const after = publish('bbbb', cache.firstGeneration);
  t.is(statSync(before).mtimeMs, 1000);
  t.is(statSync(after).mtimeMs, 2000);
  const { bootId, generation } = JSON.parse(readFileSync(layout.synced, 'utf8')) as {
    bootId: string;
    generation: number;
  };
  t.regex(bootId, /^[0-9a-f-]{36}$/);
  note(layout, synced(generation));
  const next = new Cache(path);
  t.true(existsSync(before));
  t.false(existsSync(after));
  t.is(next.firstGeneration, 2);
  t.is((JSON.parse(readFileSync(layout.synced, 'utf8')) as { bootId: string }).bootId, bootId);
});

for (const [what, text] of [
  ['is empty', ''],
  ['is zeros', '\0'.repeat(80)],
  ['is no object', 'null'],
  ['tells a time, as earlier versions did', JSON.stringify({ bootId: OTHER_BOOT, before: 1e15 })],
  ['tells no number', JSON.stringify({ bootId: OTHER_BOOT, generation: '9' })],
] as const) {
  test(`where the note ${what}, nothing is trusted`, (t) => {
    const path = place(t);
    const { layout } = new Cache(path);
    const object = put(join(layout.objects, 'ab', 'one'), 1);
    note(layout, text);
    t.is(new Cache(path).firstGeneration, 1);
    t.false(existsSync(object));
  });
}

test('on a full disk no note stays that says less than is so', async (t) => {
  const path = place(t);
  const cache = new Cache(path);
  await cache.sync(3);
  t.true(existsSync(cache.layout.synced));
  symlinkSync('/dev/full', join(cache.layout.tmp, 'synced.json'));
  await cache.sync(4);
  t.false(existsSync(cache.layout.synced));
});

test('a cache that was removed, and made anew in its place, is not the one that was opened', (t) => {
  const path = place(t);
  const cache = new Cache(path);
  t.true(cache.isThere());
  renameSync(cache.layout.objects, `${cache.layout.objects}-away`);
  t.false(cache.isThere());
  mkdirSync(cache.layout.objects);
  t.false(cache.isThere());
  const other = new Cache(path);
  t.true(other.isThere());
  rmSync(other.layout.tmp, { recursive: true });
  t.false(other.isThere());
});

test('what is half-filled is gone at every start', (t) => {
  const path = place(t);
  const { layout } = new Cache(path);
  openSync(put(join(layout.tmp, '3', 'job-3'), 1), 'r');
  t.deepEqual(
    readdirSync(new Cache(path).layout.tmp).filter((name) => name !== 'synced.json'),
    [],
  );
});

test('the directories of other layouts go, and nothing else beside them', async (t) => {
  const path = place(t);
  for (const other of ['v1/objects/ab/cd', 'v9999/x', 'mine/x', 'v2x/x']) put(join(path, other), 1);
  const { layout } = new Cache(path);
  await until('they are gone', () => !existsSync(join(path, 'v1')) && !existsSync(join(path, 'v9999')));
  t.deepEqual(readdirSync(path).sort(), ['CACHEDIR.TAG', 'mine', layout.root.slice(path.length + 1), 'v2x'].sort());
});
