// SPDX-License-Identifier: GPL-3.0-or-later

/** Files that are read before all of them is there, through the mount that the plugin makes for itself. */

import anyTest, { type TestFn } from 'ava';
import { compile, parts } from './compile.js';
import { mounted } from './mounted.js';

interface Programs {
  readonly daemon: string;
  readonly program: string;
  readonly faults: string;
  /** The first program for ThreadSanitizer. */
  readonly threaded: string;
}

const test = anyTest as TestFn<Programs>;

test.before(async (t) => {
  const sources = await parts.host();
  t.context = {
    daemon: await compile({ name: 'fake-daemon', sources: parts.daemon, watch: 'none' }),
    program: await compile({ name: 'lazy', sources, watch: 'address' }),
    faults: await compile({ name: 'lazy-faults', sources, watch: 'address' }),
    threaded: await compile({ name: 'lazy', sources, watch: 'thread' }),
  };
});

interface Reading {
  readonly title: string;
  readonly scenario: string;
  readonly fault?: string;
  readonly asked?: () => string;
  readonly env?: () => NodeJS.ProcessEnv;
}

const readings: readonly Reading[] = [
  { title: 'files of several chunks are opened lazily until they are whole', scenario: 'all' },
  { title: 'an open does not wait, and a read waits for its chunk alone', scenario: 'chunk', fault: 'hold-third' },
  { title: 'while a hundred readers wait others read', scenario: 'crowd', fault: 'hold-third' },
  { title: 'a read touches no chunk but its own', scenario: 'no-further' },
  { title: 'a draft that loses its name under a reader is replaced', scenario: 'unlinked' },
  { title: 'a file can be published under a reader', scenario: 'published' },
  { title: 'a lazy file can be mapped', scenario: 'mapped' },
  { title: 'a wait is told, whoever ended it', scenario: 'told' },
  { title: 'a wait that somebody else has ended is told', scenario: 'told', fault: 'again-filled' },
  { title: 'one remote chunk is waited for by reads', scenario: 'remote', fault: 'network', asked: () => 'docker://x' },
];

const troubles: readonly Reading[] = [
  { title: 'a reader that waits can be killed', scenario: 'reader-killed', fault: 'hold-third' },
  { title: 'a host whose reader waits can be killed', scenario: 'host-killed', fault: 'hold-third' },
  { title: 'a mount ends while a reader waits', scenario: 'ends', fault: 'hold-third' },
  { title: 'where no mount can be made opens wait for whole files', scenario: 'impossible' },
  { title: 'a chunk that a worker cannot make is an input/output error', scenario: 'eio', fault: 'eio' },
  { title: 'a worker that always gives up ends reads in an error', scenario: 'eio', fault: 'always-again' },
  { title: 'a worker that fills nothing in ends reads in an error', scenario: 'eio', fault: 'lie' },
  { title: 'an answer that is no errno ends reads in an error', scenario: 'eio', fault: 'nonsense' },
  { title: 'a full disk is told to readers', scenario: 'enospc', fault: 'enospc' },
  { title: 'where no connection can be lent reads end in an error', scenario: 'no-loan' },
  {
    title: 'a read of which no byte arrives ends after CRFS_TIMEOUT',
    scenario: 'timeout',
    fault: 'silent',
    env: () => ({ CRFS_TIMEOUT: '1' }),
  },
];

for (const { title, scenario, ...given } of [...readings, ...troubles]) {
  test(title, async (t) => {
    const { program, faults } = t.context;
    const isReading = readings.some((reading) => reading.title === title);
    const outcome = await mounted(t.context, scenario, { ...given, program: isReading ? program : faults });
    t.is(outcome.stderr, '');
    t.regex(outcome.stdout, /^checks [1-9]\d*\n$/);
    t.is(outcome.code, 0);
    t.is(outcome.daemons, 1);
  });
}

test('daemons that die over every read end reads in an error', async (t) => {
  const outcome = await mounted(t.context, 'eio', { fault: 'die', program: t.context.faults });
  t.is(outcome.code, 0, outcome.stderr);
  t.true(outcome.daemons > 2);
});

for (const { scenario, fault = '' } of [
  { scenario: 'all' },
  { scenario: 'all', fault: 'again' },
  { scenario: 'chunk', fault: 'hold-third' },
  { scenario: 'crowd', fault: 'hold-third' },
  { scenario: 'unlinked' },
  { scenario: 'published' },
]) {
  test(`ThreadSanitizer sees no race in the server of lazy reads: ${scenario}, ${fault || 'no fault'}`, async (t) => {
    const outcome = await mounted(t.context, scenario, { fault, program: t.context.threaded });
    t.is(outcome.stderr, '');
    t.is(outcome.code, 0);
  });
}
