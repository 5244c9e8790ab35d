// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { NetworkTimes } from '../../src/main/daemon/network-times.js';

test('of a read, the time is told in which its file waited for the network, and none twice', (t) => {
  const times = new NetworkTimes();
  t.is(times.within('a', { from: 0, to: 100 }), 0);
  times.note('a', { from: 10, to: 20 });
  times.note('a', { from: 30, to: 40 });
  times.note('b', { from: 0, to: 100 });
  t.is(times.within('a', { from: 0, to: 100 }), 20);
  t.is(times.within('a', { from: 15, to: 35 }), 10);
  t.is(times.within('a', { from: 20, to: 30 }), 0);
  times.note('a', { from: 35, to: 60 }); // beside the second one
  t.is(times.within('a', { from: 0, to: 100 }), 40);
  times.note('a', { from: 5, to: 70 }); // around all of them
  t.is(times.within('a', { from: 0, to: 100 }), 65);
  t.is(times.within('a', { from: 0, to: 50 }), 45);
});

test('it keeps what may still be told, not all that ever was', (t) => {
  const times = new NetworkTimes();
  for (let n = 0; n < 1000; n++) times.note('a', { from: 2 * n, to: 2 * n + 1 });
  t.is(times.within('a', { from: 1990, to: 2000 }), 5);
  t.is(times.within('a', { from: 0, to: 1000 }), 0);
  for (let n = 0; n < 5000; n++) times.note(String(n), { from: 0, to: 1 });
  t.is(times.within('a', { from: 0, to: 2000 }), 0);
  t.is(times.within('4999', { from: 0, to: 1 }), 1);
});
