// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { AheadRanges } from '../../src/main/fetch/ahead.js';

/** Takes all that is to be had, pieces of two blocks: as `first-end`. */
function takeAll(ranges: AheadRanges, present: readonly number[] = []): string[] {
  const there = new Set(present);
  const taken: string[] = [];
  for (let next = ranges.take(2, isAbsent); next; next = ranges.take(2, isAbsent)) {
    for (let block = next.first; block < next.end; block++) there.add(block);
    taken.push(`${next.first}-${next.end}`);
  }
  return taken;

  function isAbsent(block: number): boolean {
    return !there.has(block);
  }
}

test('a range is taken from its front, in pieces, but for what is there', (t) => {
  const ranges = new AheadRanges();
  ranges.set(1, 0, 9);
  t.deepEqual(takeAll(ranges, [0, 3, 4]), ['1-3', '5-7', '7-9']);
  t.deepEqual(takeAll(ranges), []);
});

test('readers take turns', (t) => {
  const ranges = new AheadRanges();
  ranges.set(1, 0, 4);
  ranges.set(2, 10, 14);
  t.deepEqual(takeAll(ranges), ['0-2', '10-12', '2-4', '12-14']);
});

test('a reader that goes elsewhere leaves nothing behind', (t) => {
  const ranges = new AheadRanges();
  ranges.set(1, 0, 4);
  ranges.set(1, 20, 22);
  t.deepEqual(takeAll(ranges), ['20-22']);
  ranges.set(1, 0, 4);
  ranges.set(1, 20, 20);
  t.deepEqual(takeAll(ranges), []);
});
