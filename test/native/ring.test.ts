// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { compile, outcomeOf } from './compile.js';

test('the ring hands over, refuses, frees and wraps around as its header says', async (t) => {
  const unit = await compile({ name: 'ring-unit', sources: [], watch: 'address' });
  const outcome = await outcomeOf(unit, []);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d{3,}\n$/);
  t.is(outcome.code, 0);
});

test('nobody sleeps for ever, in whatever order two sides of the ring take their steps', async (t) => {
  const schedules = await compile({ name: 'ring-schedules', sources: [], watch: 'none' });
  const outcome = await outcomeOf(schedules, []);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d{3,}\n$/);
  t.is(outcome.code, 0);
});

test('ThreadSanitizer sees no race between producers and consumers on one mapping', async (t) => {
  const stress = await compile({ name: 'ring-stress', sources: [], watch: 'thread' });
  const outcome = await outcomeOf(stress, ['threads', '100000']);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^served 100000 answered \d+ abandoned \d+ late \d+\n$/);
  t.is(outcome.code, 0);
});

test('two processes serve each request once and lose none', async (t) => {
  const stress = await compile({ name: 'ring-stress', sources: [], watch: 'none' });
  const outcome = await outcomeOf(stress, ['processes', '400000']);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^served 400000 answered \d+ abandoned \d+ late \d+\n$/);
  t.is(outcome.code, 0);
});
