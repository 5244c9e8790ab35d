// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { Board } from '../../src/workers/serve/board.js';

const key = (n: number): Uint8Array => new Uint8Array(32).fill(n);

test('the first to ask for an object creates its job, the next one joins it', (t) => {
  const board = new Board(2);
  board.hold(0, 7, 1);
  const first = board.join(0, key(1), 5, 6, 1);
  board.hold(1, 8, 2);
  const second = board.join(1, key(1), 5, 6, 1);
  t.true(first.created);
  t.deepEqual(second, { job: first.job, created: false });
});

test('whoever leaves a job last finishes it, and answers all who wait', (t) => {
  const board = new Board(2);
  board.hold(0, 7, 1);
  const { job } = board.join(0, key(1), 5, 6, 1);
  board.hold(1, 8, 2);
  board.join(1, key(1), 5, 6, 1);
  t.is(board.claim(job), 0);
  t.true(board.leave(0, job));
  const waiters = board.finish(job).sort((a, b) => a.ring - b.ring);
  t.deepEqual(waiters, [
    { ring: 7, position: 1 },
    { ring: 8, position: 2 },
  ]);
  t.is(board.busy, 0);
});

test('the chunks of a job are claimed once each, by whoever helps', (t) => {
  const board = new Board(2);
  const { job } = board.join(0, key(1), 5, 6, 3);
  t.is(board.help(1), -1, 'a job without a file is not open to helpers');
  board.share(job, 42);
  t.is(board.help(1), job);
  t.deepEqual(board.describe(job), { layer: 5, inode: 6, fd: 42, error: 0 });
  t.deepEqual([board.claim(job), board.claim(job), board.claim(job), board.claim(job)], [0, 1, 2, -1]);
  t.is(board.help(1), -1, 'nothing is left to help with');
  t.false(board.leave(0, job));
  t.true(board.leave(1, job));
});

test('nobody finishes a job that has unclaimed chunks', (t) => {
  const board = new Board(2);
  const { job } = board.join(0, key(1), 5, 6, 2);
  board.share(job, 3);
  t.is(board.help(1), job);
  t.is(board.claim(job), 0);
  t.false(board.leave(1, job), 'the other worker is still there');
  t.is(board.claim(job), 1);
  t.true(board.leave(0, job));
});

test('the first failure of a job is its error, and ends it', (t) => {
  const board = new Board(1);
  const { job } = board.join(0, key(1), 5, 6, 9);
  t.is(board.claim(job), 0);
  board.fail(job, 5);
  board.fail(job, 28);
  t.is(board.describe(job).error, 5);
  t.is(board.claim(job), -1);
  t.true(board.leave(0, job));
});

test('a cancelled job has no chunk to claim', (t) => {
  const board = new Board(1);
  const { job } = board.join(0, key(1), 5, 6, 2);
  board.cancel(job);
  t.is(board.claim(job), -1);
  t.true(board.leave(0, job));
});

test('a dead worker that was alone leaves its requests and its file to answer and close', (t) => {
  const board = new Board(2);
  board.hold(0, 7, 1);
  const { job } = board.join(0, key(1), 5, 6, 4);
  board.share(job, 42);
  board.claim(job);
  t.deepEqual(board.bury(0, 11), { waiters: [{ ring: 7, position: 1 }], fd: 42 });
  t.is(board.busy, 0);
});

test('a dead worker that had helpers leaves the job to them, failed', (t) => {
  const board = new Board(2);
  board.hold(0, 7, 1);
  const { job } = board.join(0, key(1), 5, 6, 4);
  board.share(job, 42);
  t.is(board.help(1), job);
  t.deepEqual(board.bury(0, 11), { waiters: [], fd: -1 });
  t.is(board.describe(job).error, 11);
  t.true(board.leave(1, job));
  t.deepEqual(board.finish(job), [{ ring: 7, position: 1 }]);
});

test('a request that was taken but not joined is answered for a dead worker', (t) => {
  const board = new Board(1);
  board.hold(0, 7, 3);
  t.deepEqual(board.bury(0, 11).waiters, [{ ring: 7, position: 3 }]);
});

test('a full board says so, and takes requests again once some are answered', (t) => {
  const board = new Board(1);
  board.hold(0, 0, 0);
  const { job } = board.join(0, key(1), 5, 6, 1);
  let joined = 1;
  for (; ; joined++) {
    board.hold(0, 0, joined);
    if (board.join(0, key(1), 5, 6, 1).job < 0) break;
  }
  board.release(0);
  board.claim(job);
  board.leave(0, job);
  t.is(board.finish(job).length, joined);
  board.hold(0, 0, 1);
  t.true(board.join(0, key(2), 5, 6, 1).created);
});

test('another thread sees the same board', (t) => {
  const board = new Board(1);
  const other = new Board(1, board.buffer);
  board.count('objects', 3);
  other.count('objects', 4);
  other.stop();
  t.is(board.counters().objects, 7);
  t.true(board.stopping);
});
