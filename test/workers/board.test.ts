// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { Board } from '../../src/workers/board/board.js';
import type { Waiter } from '../../src/workers/board/waiters.js';
import type { Run } from '../../src/workers/messages.js';

/** A worker takes a request, as the addon's `take` notes it. */
const take = (board: Board, worker: number, ring: number, position: number): void =>
  board.request(worker).set([ring, position]);

/** The first `count` chunks of a file. */
const run = (layer: number, inode: number, count: number): Run => ({ layer, inode, first: 0, count });

/** Ends a job. Returns the requests that were answered. */
function finish(board: Board, worker: number, job: number): Waiter[] {
  const answered: Waiter[] = [];
  board.finish(worker, job, (waiter) => answered.push(waiter));
  return answered.sort((a, b) => a.ring - b.ring);
}

test('the first to ask for an object creates its job, the next one joins it', (t) => {
  const board = new Board(2);
  take(board, 0, 7, 1);
  const first = board.join(0, run(5, 6, 1));
  take(board, 1, 8, 2);
  const second = board.join(1, run(5, 6, 1));
  t.true(first.created);
  t.deepEqual(second, { job: first.job, created: false });
});

test('a file of another layer is another job, and so is another file of the same layer', (t) => {
  const board = new Board(2);
  const { job } = board.join(0, run(5, 6, 1));
  const other = board.join(1, run(4, 6, 1));
  t.true(other.created);
  t.not(other.job, job);
  board.claim(other.job);
  board.leave(1, other.job);
  finish(board, 1, other.job);
  t.true(board.join(1, run(5, 7, 1)).created);
});

test('a generation is complete once no job of it is under way', (t) => {
  const board = new Board(2);
  board.startGeneration(8);
  const early = board.join(0, run(5, 6, 1));
  t.is(board.nextGeneration(), 7, 'the job may publish yet');
  const late = board.join(1, run(5, 7, 1));
  t.is(board.describe(early.job).generation, 8);
  t.is(board.describe(late.job).generation, 9);
  board.claim(early.job);
  t.true(board.leave(0, early.job));
  t.is(board.nextGeneration(), 7, 'it has ended, and not published');
  finish(board, 0, early.job);
  t.is(board.nextGeneration(), 8);
  board.claim(late.job);
  t.deepEqual(board.reclaim(1, 11), []);
  t.is(board.nextGeneration(), 11, 'dead workers publish nothing');
  t.is(board.generation, 12);
});

test('the generation and the number of workers are told apart', (t) => {
  const board = new Board(4);
  board.startGeneration(8);
  board.running = 2;
  board.nextGeneration();
  t.is(board.running, 2);
  t.is(board.generation, 9);
});

test('whoever leaves a job last finishes it, and answers all who wait', (t) => {
  const board = new Board(2);
  take(board, 0, 7, 1);
  const { job } = board.join(0, run(5, 6, 1));
  take(board, 1, 8, 2);
  board.join(1, run(5, 6, 1));
  t.is(board.claim(job), 0);
  t.true(board.leave(0, job));
  t.deepEqual(finish(board, 0, job), [
    { ring: 7, position: 1 },
    { ring: 8, position: 2 },
  ]);
  t.is(board.busy, 0);
});

test('the chunks of a job are claimed once each, by whoever helps', (t) => {
  const board = new Board(2);
  const { job } = board.join(0, run(5, 6, 3));
  t.is(board.help(1), -1, 'a job without a file is not open to helpers');
  board.share(job);
  t.is(board.help(1), job);
  t.deepEqual(board.describe(job), { ...run(5, 6, 3), error: 0, generation: 0, isFinal: false });
  t.deepEqual([board.claim(job), board.claim(job), board.claim(job), board.claim(job)], [0, 1, 2, -1]);
  t.is(board.help(1), -1, 'nothing is left to help with');
  t.false(board.leave(0, job));
  t.true(board.leave(1, job));
});

test('whoever asks for chunks that are among those of a job joins it, and for others there is another job', (t) => {
  const board = new Board(3);
  const { job } = board.join(0, { layer: 5, inode: 6, first: 2, count: 4 });
  t.deepEqual(board.join(1, { layer: 5, inode: 6, first: 3, count: 3 }), { job, created: false });
  const overlapping = board.join(1, { layer: 5, inode: 6, first: 5, count: 2 });
  t.true(overlapping.created);
  t.deepEqual([board.claim(overlapping.job), board.claim(overlapping.job), board.claim(overlapping.job)], [5, 6, -1]);
  t.is(board.claim(job), 2);
});

test('nobody finishes a job that has unclaimed chunks', (t) => {
  const board = new Board(2);
  const { job } = board.join(0, run(5, 6, 2));
  board.share(job);
  t.is(board.help(1), job);
  t.is(board.claim(job), 0);
  t.false(board.leave(1, job), 'the other worker is still there');
  t.false(board.leave(0, job), 'a chunk is left');
  t.is(board.help(1), job);
  t.is(board.claim(job), 1);
  t.true(board.leave(1, job));
});

test('workers leave no more jobs unfinished than there are workers', (t) => {
  const board = new Board(2);
  const begun: number[] = [];
  const mayLeave = [0, 1, 0, 1].map((worker, n) => {
    take(board, worker, 2, n);
    const { job, created } = board.join(worker, run(1, n, 4));
    t.true(created);
    begun.push(job);
    board.share(job);
    board.claim(job);
    const may = board.mayLeave();
    t.false(board.leave(worker, job));
    return may;
  });
  t.deepEqual(mayLeave, [true, true, false, false]);
  t.deepEqual(begun, [0, 1, 2, 3]);
  take(board, 0, 2, 9);
  t.deepEqual(board.join(0, run(1, 9, 4)), { job: -1, created: false }, 'there is no room for more');
  t.is(board.busy, 4);
  t.deepEqual(board.reclaim(0, 11), [{ ring: 2, position: 9 }]);
});

test('the first failure of a job is its error, and ends it', (t) => {
  const board = new Board(1);
  const { job } = board.join(0, run(5, 6, 9));
  t.is(board.claim(job), 0);
  board.fail(job, 5);
  board.fail(job, 28);
  t.is(board.describe(job).error, 5);
  t.is(board.claim(job), -1);
  t.true(board.leave(0, job));
});

test('a cancelled job has no chunk to claim', (t) => {
  const board = new Board(1);
  const { job } = board.join(0, run(5, 6, 2));
  board.cancel(job);
  t.is(board.claim(job), -1);
  t.true(board.leave(0, job));
});

test('a dead worker that was alone leaves its requests to answer', (t) => {
  const board = new Board(2);
  take(board, 0, 7, 1);
  const { job } = board.join(0, run(5, 6, 4));
  board.share(job);
  board.claim(job);
  t.deepEqual(board.reclaim(0, 11), [{ ring: 7, position: 1 }]);
  t.is(board.busy, 0);
});

test('a dead worker that had helpers leaves the job to them, failed', (t) => {
  const board = new Board(2);
  take(board, 0, 7, 1);
  const { job } = board.join(0, run(5, 6, 4));
  board.share(job);
  t.is(board.help(1), job);
  t.deepEqual(board.reclaim(0, 11), []);
  t.is(board.describe(job).error, 11);
  t.true(board.leave(1, job));
  t.deepEqual(finish(board, 1, job), [{ ring: 7, position: 1 }]);
});

test('a request that was taken but not joined is answered for a dead worker', (t) => {
  const board = new Board(1);
  take(board, 0, 7, 3);
  t.deepEqual(board.reclaim(0, 11), [{ ring: 7, position: 3 }]);
});

test('a worker that dies before it has ended the job that it left last ends it by that', (t) => {
  const board = new Board(1);
  take(board, 0, 7, 1);
  const { job } = board.join(0, run(5, 6, 1));
  board.claim(job);
  t.true(board.leave(0, job));
  t.deepEqual(board.reclaim(0, 11), [{ ring: 7, position: 1 }]);
  t.is(board.busy, 0);
});

test('a worker that dies over its answers leaves them all to give', (t) => {
  const board = new Board(2);
  take(board, 0, 7, 1);
  const { job } = board.join(0, run(5, 6, 1));
  take(board, 1, 8, 2);
  board.join(1, run(5, 6, 1));
  board.claim(job);
  board.leave(0, job);
  t.throws(() =>
    board.finish(0, job, () => {
      throw new Error('death');
    }),
  );
  t.is(board.reclaim(0, 11).length, 2);
  t.deepEqual(board.reclaim(0, 11), []);
});

test('a request that was answered is not answered for a dead worker', (t) => {
  const board = new Board(1);
  take(board, 0, 7, 3);
  board.answered(0);
  t.deepEqual(board.reclaim(0, 11), []);
});

test('a full board says so, and takes requests again once some are answered', (t) => {
  const board = new Board(1);
  take(board, 0, 0, 0);
  const { job } = board.join(0, run(5, 6, 1));
  let joined = 1;
  for (; ; joined++) {
    take(board, 0, 0, joined);
    if (board.join(0, run(5, 6, 1)).job < 0) break;
  }
  board.answered(0);
  board.claim(job);
  board.leave(0, job);
  t.is(finish(board, 0, job).length, joined);
  take(board, 0, 0, 1);
  t.true(board.join(0, run(5, 7, 1)).created);
});

test('another thread sees the same board', (t) => {
  const board = new Board(1);
  const other = new Board(1, board.buffer);
  board.counters.add('objects', 3);
  other.counters.add('objects', 4);
  other.stop();
  t.is(board.counters.all().objects, 7);
  t.true(board.stopping);
});
