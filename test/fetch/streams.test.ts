// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { Streams } from '../../src/main/fetch/streams.js';

const BOUNDS = { least: 10, most: 35 };

/** What is fetched ahead at each chunk that a reader is heard to ask for. */
function windows(chunks: readonly number[], streams = new Streams()): number[] {
  return chunks.map((chunk) => streams.read('file', chunk, chunk + 1, BOUNDS).window);
}

test('a reader that goes on gets a window that doubles up to a limit', (t) => {
  t.deepEqual(windows([3, 4, 5, 6, 7]), [0, 10, 20, 35, 35]);
});

test('a reader that goes elsewhere gets its chunks alone', (t) => {
  t.deepEqual(windows([3, 4, 60, 61, 7]), [0, 10, 0, 10, 0]);
});

test('a reader that was not heard of over chunks that came ahead goes on', (t) => {
  const streams = new Streams();
  windows([0, 1], streams);
  streams.reach('file', 9);
  t.deepEqual(streams.read('file', 9, 10, BOUNDS), { from: 2, window: 20 });
  t.deepEqual(streams.read('file', 11, 12, BOUNDS), { from: 11, window: 0 });
});

test('what is told twice, or late, changes nothing', (t) => {
  t.deepEqual(windows([0, 1, 2, 1, 2, 3]), [0, 10, 20, 20, 20, 35]);
});

test('each file has a reader of its own', (t) => {
  const streams = new Streams();
  windows([0, 1], streams);
  t.is(streams.read('other', 2, 3, BOUNDS).window, 0);
  t.deepEqual(windows([2], streams), [20]);
});

test('of many files, those whose readers were heard of last are kept in mind', (t) => {
  const streams = new Streams();
  windows([0, 1], streams);
  for (let n = 0; n < 300; n++) streams.read(`other ${n}`, 0, 1, BOUNDS);
  t.deepEqual(windows([2], streams), [0]);
});
