// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import type { Remote } from '../../src/main/fetch/remote.js';
import { fetchExpected } from '../../src/main/fetch/start-up.js';
import { Traffic } from '../../src/main/fetch/traffic.js';
import { Gate } from '../tools/gate.js';
import { until } from '../tools/machine.js';

interface Piece {
  readonly offset: number;
  readonly end: number;
  readonly arrive: () => void;
  readonly fail: (error: Error) => void;
}

/** A blob whose pieces arrive when the test says so. */
function blob(unit: number): { remote: Remote; asked: Piece[] } {
  const asked: Piece[] = [];
  const prefetch = (offset: number, end: number): Promise<void> =>
    new Promise((arrive, fail) => {
      asked.push({ offset, end, arrive, fail });
    });
  return { remote: { link: { unit }, fetcher: { prefetch } } as unknown as Remote, asked };
}

function ranges(remote: Remote, ...all: readonly [number, number][]) {
  return all.map(([offset, end]) => ({ remote, offset, end }));
}

const places = (asked: readonly Piece[]): [number, number][] => asked.map(({ offset, end }) => [offset, end]);

test('large ranges come in pieces of a unit, two at a time, in their order', async (t) => {
  const { remote, asked } = blob(100);
  const done = fetchExpected(ranges(remote, [0, 250], [1000, 1100]), () => true, new AbortController().signal);
  t.deepEqual(places(asked), [
    [0, 100],
    [100, 200],
  ]);
  asked[1]?.arrive();
  await until('the next one is asked for', () => asked.length === 3);
  t.deepEqual(places(asked).at(-1), [200, 250]);
  for (let n = 0; n < 4; n++) {
    await until('the next one is asked for', () => asked.length > n);
    asked[n]?.arrive();
  }
  await done;
  t.deepEqual(places(asked).at(-1), [1000, 1100]);
});

test('of small ranges, several are under way, so that no round trip is waited for', async (t) => {
  const { remote, asked } = blob(100);
  const small = Array.from({ length: 20 }, (_, n): [number, number] => [n * 1000, n * 1000 + 1]);
  const done = fetchExpected(ranges(remote, ...small), () => true, new AbortController().signal);
  t.is(asked.length, 6);
  for (let n = 0; n < small.length; n++) {
    await until('the next one is asked for', () => asked.length > n);
    asked[n]?.arrive();
  }
  await done;
  t.is(asked.length, small.length);
});

test('nothing more is asked for once it was stopped, there is no room, or a source fails', async (t) => {
  const stop = new AbortController();
  const stopped = blob(100);
  const first = fetchExpected(ranges(stopped.remote, [0, 1000]), () => true, stop.signal);
  stop.abort();
  for (const { arrive } of stopped.asked) arrive();
  await first;
  t.is(stopped.asked.length, 2);

  const full = blob(100);
  await fetchExpected(ranges(full.remote, [0, 1000]), () => false, new AbortController().signal);
  t.is(full.asked.length, 0);

  const failing = blob(100);
  const third = fetchExpected(ranges(failing.remote, [0, 1000]), () => true, new AbortController().signal);
  for (const { fail } of failing.asked) fail(new Error('no'));
  await t.throwsAsync(third, { message: 'no' });
  t.is(failing.asked.length, 2);
});

test('what nobody waits for waits until starts are over', async (t) => {
  const traffic = new Traffic();
  const signal = new AbortController().signal;
  const gate = new Gate();
  const starting = traffic.startUp(() => gate.pass());
  let waits = true;
  const waiting = traffic.startedUp(signal).finally(() => {
    waits = false;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.true(waits);
  gate.open();
  await starting;
  await waiting;
  await t.throwsAsync(
    traffic.startUp(() => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  await traffic.startedUp(signal);
});
