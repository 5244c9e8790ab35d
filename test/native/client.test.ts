// SPDX-License-Identifier: GPL-3.0-or-later

/** What every front end is built on, csrc/client: it stands by itself, and keeps no state but its sessions. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { compile, filesIn, outcomeOf, parts, symbolsOf } from './compile.js';

const test = anyTest as TestFn<{ readonly daemon: string; readonly sessions: string }>;

test.before(async (t) => {
  t.context = {
    daemon: await compile({ name: 'fake-daemon', sources: parts.daemon, watch: 'none' }),
    sessions: await compile({ name: 'sessions', sources: await parts.client(), watch: 'address' }),
  };
});

for (const { fault, daemons } of [
  { fault: '', daemons: 1 },
  { fault: 'first-die-later', daemons: 2 },
]) {
  test(`two sessions of one process are served, each to its own end: ${fault || 'no fault'}`, async (t) => {
    const root = await mkdtemp(join(tmpdir(), 'crfs-sessions-'));
    t.teardown(() => rm(root, { recursive: true, force: true }));
    const blob = join(root, 'blob');
    await mkdir(join(root, 'cache'));
    await writeFile(blob, 'compressed');
    const env = {
      XDG_CACHE_HOME: join(root, 'cache'),
      FAKE_ROOT: root,
      FAKE: fault,
      CRFS_PLUGIN_DAEMON: t.context.daemon,
    };
    const outcome = await outcomeOf(t.context.sessions, [blob, String(daemons)], env);
    t.is(outcome.stderr, '');
    t.regex(outcome.stdout, /^checks [1-9]\d+\n$/);
    t.is(outcome.code, 0);
    t.is((await readFile(join(root, 'starts'), 'utf8')).length, daemons);
  });
}

test('whoever asks waits as long as bytes arrive, and no longer', async (t) => {
  const ask = await compile({ name: 'ask', sources: await parts.client(), watch: 'address' });
  const outcome = await outcomeOf(ask, []);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d*\n$/);
  t.is(outcome.code, 0);
});

for (const { directory, entry, uses } of [
  { directory: 'csrc/client', entry: 'crfs_session_begin', uses: ['client', 'shared'] },
  { directory: 'csrc/lazy', entry: 'crfs_lazy_open', uses: ['client', 'lazy', 'shared'] },
]) {
  test(`what front ends share has no variables of its own: ${directory}`, async (t) => {
    const symbols = await symbolsOf(directory);
    t.true(symbols.some(({ name, type }) => name === entry && type === 'T'));
    t.deepEqual(
      symbols.filter(({ type }) => !'TtRrUw'.includes(type)),
      [],
    );
  });

  test(`what front ends share uses no front end: ${directory}`, async (t) => {
    const paths = [...(await filesIn(directory, '.c')), ...(await filesIn(directory, '.h'))];
    t.true(paths.length > 10);
    for (const path of paths) {
      const text = await readFile(join(import.meta.dirname, '../../..', path), 'utf8');
      const folders = [...text.matchAll(/#include "(\w+)\//g)].map(([, folder = '']) => folder);
      t.deepEqual(
        folders.filter((folder) => !uses.includes(folder)),
        [],
        path,
      );
    }
  });
}
