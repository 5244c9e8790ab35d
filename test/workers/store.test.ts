// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, fstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type ObjectFacts, Store } from '../../src/workers/serve/store.js';
import { sameBytes } from '../tools/bytes.js';

interface Place {
  store: Store;
  another: Store;
  object: (name: string) => string;
  ofJob: (job: number) => string;
  draft: (name: string) => string;
}

function place(t: ExecutionContext): Place {
  const path = mkdtempSync(join(tmpdir(), 'crfs-store-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  for (const name of ['objects', 'drafts', 'tmp']) mkdirSync(join(path, name));
  const directories = { objects: join(path, 'objects'), drafts: join(path, 'drafts'), tmp: join(path, 'tmp') };
  return {
    store: new Store(directories, 0),
    another: new Store(directories, 1),
    object: (name) => join(path, 'objects', name.slice(0, 2), name),
    ofJob: (job) => join(path, 'tmp', `${process.pid}-a`, `job-${job}`),
    draft: (name) => join(path, 'drafts', name.slice(0, 2), name),
  };
}

const CONTENT = Buffer.from('content');
const ONE: ObjectFacts = { objectName: 'abcd', size: CONTENT.length, chunks: 1 };
/** Chunks: "cont", "ent". */
const TWO: ObjectFacts = { ...ONE, chunks: 2 };

for (const facts of [ONE, TWO]) {
  const isShared = facts.chunks > 1;
  test(`an object that ${isShared ? 'several workers' : 'one worker'} filled can be read by its user alone, and written by nobody`, (t) => {
    const { store, object, ofJob } = place(t);
    const fd = store.create(0, facts);
    store.resize(fd, 100);
    const helper = isShared ? store.open(0, facts) : fd;
    store.write(helper, CONTENT, 0);
    if (isShared) store.close(helper);
    else store.resize(fd, CONTENT.length);
    store.publish(0, fd, facts, 7);
    t.is(fstatSync(fd).mode & 0o777, 0o400);
    store.close(fd);
    sameBytes(t, readFileSync(object('abcd')), CONTENT);
    t.is(statSync(object('abcd')).mtimeMs, 7000);
    t.false(existsSync(ofJob(0)));
  });
}

test('an object is there as long as it has its length', (t) => {
  const { store, object } = place(t);
  t.false(store.has('abcd', CONTENT.length));
  const fd = store.create(0, ONE);
  store.write(fd, CONTENT, 0);
  store.publish(0, fd, ONE, 1);
  store.close(fd);
  t.true(store.has('abcd', CONTENT.length));
  truncateSync(object('abcd'), CONTENT.length - 1);
  t.false(store.has('abcd', CONTENT.length));
});

test('the file of a worker that died gives way to the next, and can be thrown away twice', (t) => {
  const { store, ofJob } = place(t);
  const dead = store.create(3, TWO);
  store.write(dead, CONTENT, 0);
  const fd = store.create(3, TWO);
  t.is(fstatSync(fd).size, 0);
  for (const open of [dead, fd]) store.close(open);
  store.discard(3);
  t.false(existsSync(ofJob(3)));
  t.notThrows(() => store.discard(3));
});

test('workers fill one draft, each chunk once, and the one that finds it whole publishes it', (t) => {
  const { store, another, object, draft } = place(t);
  const mine = store.openDraft(TWO);
  const theirs = another.openDraft(TWO);
  t.is(fstatSync(mine.fd).ino, fstatSync(theirs.fd).ino);
  t.false(mine.has(1));
  mine.fillOnce(1, () => store.write(mine.fd, CONTENT.subarray(4), 4));
  t.true(theirs.has(1));
  theirs.fillOnce(1, () => t.fail('it is there'));
  let published = 0;
  const publish = (): void => {
    published++;
    another.publishDraft(theirs, TWO, 7);
  };
  theirs.publishOnce(publish);
  t.is(published, 0, 'a chunk is missing');
  theirs.fillOnce(0, () => another.write(theirs.fd, CONTENT.subarray(0, 4), 0));
  theirs.publishOnce(publish);
  t.is(published, 1);
  t.true(mine.has(0), 'what is published is all there');
  theirs.close();
  t.true(mine.isPublished(draft('abcd')));
  mine.publishOnce(() => t.fail('it is published'));
  mine.close();
  sameBytes(t, readFileSync(object('abcd')), CONTENT);
  t.is(statSync(object('abcd')).mtimeMs, 7000);
  t.is(statSync(object('abcd')).mode & 0o777, 0o400);
  t.false(existsSync(draft('abcd')));
});

function failing(): never {
  throw new Error('wrong bytes');
}

test('a chunk that could not be filled is not there, and the next worker fills it', (t) => {
  const { store } = place(t);
  const draft = store.openDraft(TWO);
  t.throws(() => draft.fillOnce(0, failing), { message: 'wrong bytes' });
  t.false(draft.has(0));
  draft.fillOnce(0, () => store.write(draft.fd, CONTENT.subarray(0, 4), 0));
  t.true(draft.has(0));
  draft.close();
});

test('a draft outlives the worker that began it', (t) => {
  const { store, another } = place(t);
  const dead = store.openDraft(TWO);
  dead.fillOnce(0, () => store.write(dead.fd, CONTENT.subarray(0, 4), 0));
  dead.close();
  const draft = another.openDraft(TWO);
  t.deepEqual([draft.has(0), draft.has(1)], [true, false]);
  draft.close();
});

test('a draft that has lost its name is not published, and what is no draft gives way to one', (t) => {
  const { store, object, draft } = place(t);
  const lost = store.openDraft(TWO);
  for (const chunk of [0, 1]) lost.fillOnce(chunk, () => undefined);
  rmSync(draft('abcd'));
  lost.publishOnce(() => t.fail('it has no name'));
  lost.close();
  t.false(existsSync(object('abcd')));
  store.openDraft(TWO).close();
  truncateSync(draft('abcd'), 3);
  const fresh = store.openDraft(TWO);
  t.false(fresh.has(0));
  fresh.close();
});

test('a draft whose daemon died as it made it the object gives way to another one', (t) => {
  const { store, draft } = place(t);
  store.openDraft(TWO).close();
  truncateSync(draft('abcd'), CONTENT.length);
  const fresh = store.openDraft(TWO);
  t.false(fresh.has(0));
  fresh.close();
});
