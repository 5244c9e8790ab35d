// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as later } from 'node:timers/promises';
import test from 'ava';
import { IdleWatch } from '../../src/main/daemon/idle.js';

/** Timers of equal length go off in the order in which they were set. */
const SECONDS = 0.001;

test('a daemon is idle when nobody uses it any more, and never once it ends', async (t) => {
  let idle = 0;
  const watch = new IdleWatch(SECONDS, () => idle++);
  const [first, second] = [watch.use(), watch.use()];
  await later(SECONDS * 1000);
  first();
  await later(SECONDS * 1000);
  t.is(idle, 0);
  second();
  await later(SECONDS * 1000);
  t.is(idle, 1);
  const last = watch.use();
  watch.stop();
  last();
  await later(SECONDS * 1000);
  t.is(idle, 1);
});
