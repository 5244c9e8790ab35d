// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { compile, outcomeOf, parts } from './compile.js';

test('an index damaged in any way is refused, or read without leaving it', async (t) => {
  const mutations = await compile({ name: 'index-mutations', sources: parts.index, watch: 'address' });
  const outcome = await outcomeOf(mutations, ['500000', '1']);
  t.is(outcome.stderr, '');
  const [, rounds, passed] = /^mutated (\d+) passed (\d+)\n$/.exec(outcome.stdout) ?? [];
  t.is(rounds, '500000');
  t.true(Number(passed) > 50_000, 'too few were read to have tested the readers');
  t.true(Number(passed) < 400_000, 'too few were refused to have tested the checks');
  t.is(outcome.code, 0);
});

test('several threads find in a large index what one finds, and as many as can be had do', async (t) => {
  const sources = ['csrc/shared/index-tables.c', 'csrc/shared/index.c'];
  const outcome = await outcomeOf(await compile({ name: 'index-parts', sources, watch: 'address' }), []);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d+\n$/);
  t.is(outcome.code, 0);
});

for (const watch of ['address', 'thread'] as const) {
  test(`a range is divided into parts that make it up, each worth a thread, as the ${watch} sanitizer sees it`, async (t) => {
    const outcome = await outcomeOf(await compile({ name: 'parts', sources: [], watch }), []);
    t.is(outcome.stderr, '');
    t.regex(outcome.stdout, /^checks [1-9]\d+\n$/);
    t.is(outcome.code, 0);
  });
}

test('ThreadSanitizer sees no race between the threads that check an index', async (t) => {
  const sources = ['csrc/shared/index-tables.c', 'csrc/shared/index.c'];
  const outcome = await outcomeOf(await compile({ name: 'index-parts', sources, watch: 'thread' }), ['few']);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d+\n$/);
  t.is(outcome.code, 0);
});

test('each rule of the index has its own message', async (t) => {
  const rules = await compile({ name: 'index-rules', sources: parts.index, watch: 'address' });
  const outcome = await outcomeOf(rules, []);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d+\n$/);
  t.is(outcome.code, 0);
});
