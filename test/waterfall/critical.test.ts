// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { criticalPath } from '../../src/main/waterfall/critical.js';
import { rowsOf } from '../../src/main/waterfall/rows.js';
import { START } from './sample.js';

test('the critical path is the chain of waits back from the last, and its parts are all of the time', (t) => {
  const path = criticalPath(START);
  t.deepEqual(
    path.waits.map(({ file }) => file),
    [0, 1], // that of file 2 lay within that of file 1
  );
  const { end, opening, network, inflate, programs } = path;
  t.deepEqual(
    { end, opening, network, inflate, programs },
    { end: 215, opening: 60, network: 100, inflate: 20, programs: 35 },
  );
});

test('a wait that begins where another ends, to a thousandth, is behind it', (t) => {
  const one = { file: 0, at: 0, ms: 10.001, networkMs: 0 };
  const other = { file: 1, at: 10, ms: 5, networkMs: 0 };
  t.deepEqual(criticalPath({ ready: 0, reads: [], waits: [one, other] }).waits, [one, other]);
});

test('what was waited for before all layers could be read counts once', (t) => {
  const waits = [{ file: 0, at: 20, ms: 60, networkMs: 50 }];
  const path = criticalPath({ ready: 50, reads: [], waits });
  t.like(path, { end: 80, opening: 20, network: 50, inflate: 10, programs: 0 });
});

test('of a start without waits, all of the time is that of programs, and of opening the layers', (t) => {
  const reads = [{ file: 0, bytes: 1, at: 50, request: null }];
  t.like(criticalPath({ ready: 20, reads, waits: [] }), { end: 50, opening: 20, network: 0, inflate: 0, programs: 30 });
  t.like(criticalPath({ ready: 0, reads: [], waits: [] }), { end: 0, programs: 0 });
});

test('there is a row for each file that was asked for, in that order, with what brought it', (t) => {
  const rows = rowsOf(START, criticalPath(START));
  t.deepEqual(
    rows.map(({ path, at, waitedMs, networkMs, isCritical }) => [path, at, waitedMs, networkMs, isCritical]),
    [
      ['usr/bin/python3.11', 70, 70, 60, true],
      ['usr/lib/x86_64-linux-gnu/libc.so.6', 150, 50, 40, true],
      ['usr/lib/python3.11/encodings/utf_8.py', 160, 10, 0, false],
    ],
  );
  t.deepEqual(
    rows.map(({ requests }) => requests.map(({ purpose }) => purpose)),
    [['demand'], ['order'], ['demand']],
  );
});
