// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, fstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Store } from '../../src/workers/serve/store.js';

function place(t: ExecutionContext): {
  store: Store;
  object: (name: string) => string;
  draft: (job: number) => string;
} {
  const path = mkdtempSync(join(tmpdir(), 'crfs-store-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  for (const name of ['objects', 'tmp']) mkdirSync(join(path, name));
  return {
    store: new Store(join(path, 'objects'), join(path, 'tmp')),
    object: (name) => join(path, 'objects', name.slice(0, 2), name),
    draft: (job) => join(path, 'tmp', String(job), `job-${job}`),
  };
}

const CONTENT = Buffer.from('content');

for (const isShared of [false, true]) {
  test(`an object that ${isShared ? 'several workers' : 'one worker'} filled can be read by its user alone, and written by nobody`, (t) => {
    const { store, object, draft } = place(t);
    const fd = store.create(0, isShared);
    store.resize(fd, 100);
    const helper = isShared ? store.open(0) : fd;
    store.write(helper, CONTENT, 0);
    if (isShared) {
      store.close(helper);
      store.unshare(fd, CONTENT.length);
    } else store.resize(fd, CONTENT.length);
    store.publish(0, fd, 'abcd', 7);
    t.is(fstatSync(fd).mode & 0o777, 0o400);
    store.close(fd);
    t.deepEqual(readFileSync(object('abcd')), CONTENT);
    t.is(statSync(object('abcd')).mtimeMs, 7000);
    t.false(existsSync(draft(0)));
  });
}

test('an object is there as long as it has its length', (t) => {
  const { store, object } = place(t);
  t.false(store.has('abcd', CONTENT.length));
  const fd = store.create(0, false);
  store.write(fd, CONTENT, 0);
  store.publish(0, fd, 'abcd', 1);
  store.close(fd);
  t.true(store.has('abcd', CONTENT.length));
  truncateSync(object('abcd'), CONTENT.length - 1);
  t.false(store.has('abcd', CONTENT.length));
});

test('the draft of a worker that died gives way to the next, and can be thrown away twice', (t) => {
  const { store, draft } = place(t);
  const dead = store.create(3, true);
  store.write(dead, CONTENT, 0);
  const fd = store.create(3, true);
  t.is(fstatSync(fd).size, 0);
  for (const open of [dead, fd]) store.close(open);
  store.discard(3);
  t.false(existsSync(draft(3)));
  t.notThrows(() => store.discard(3));
});
