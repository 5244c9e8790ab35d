// SPDX-License-Identifier: GPL-3.0-or-later

/** What another version's cache leaves behind. */

import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { Cache } from '../../src/main/cache/cache.js';
import { addon } from '../../src/native/addon.js';
import { until } from '../tools/machine.js';

test('what a daemon was killed over goes, too', async (t) => {
  const cache = mkdtempSync(join(tmpdir(), 'crfs-outdated-'));
  t.teardown(() => rmSync(cache, { recursive: true }));
  const old = join(cache, 'v1');
  mkdirSync(join(old, 'stubs/gone-stubs/tree'), { recursive: true });
  t.true(new Cache(cache).isThere());
  await until('all is gone', () => !existsSync(old));
});

test('the cache of another version is removed, but for the names that mounts are shown by', async (t) => {
  const cache = mkdtempSync(join(tmpdir(), 'crfs-outdated-'));
  t.teardown(() => rmSync(cache, { recursive: true }));
  const old = join(cache, 'v1');
  const [object, unused, used] = ['objects/ab/object', 'stubs/unused/tree/file', 'stubs/used/tree/file'].map((name) => {
    const path = join(old, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    return path;
  }) as [string, string, string];
  const mount = openSync(join(old, 'stubs/used'), 'r');
  t.true(addon.lock(mount));
  t.true(new Cache(cache).isThere());
  await until('all else is gone', () => !existsSync(join(old, 'objects')) && !existsSync(join(old, 'stubs/unused')));
  t.deepEqual([object, unused, used].map(existsSync), [false, false, true]);
  closeSync(mount);
  t.true(new Cache(cache).isThere());
  await until('all is gone', () => !existsSync(old));
});
