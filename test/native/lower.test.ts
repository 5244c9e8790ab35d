// SPDX-License-Identifier: GPL-3.0-or-later

/** What serves the kernel's overlay, asked by a test in place of the kernel. */

import anyTest, { type TestFn } from 'ava';
import { compile, parts } from './compile.js';
import { mounted } from './mounted.js';

interface Programs {
  readonly daemon: string;
  readonly program: string;
  /** The same for ThreadSanitizer. */
  readonly threaded: string;
}

const test = anyTest as TestFn<Programs>;

test.before(async (t) => {
  const sources = await parts.lower();
  t.context = {
    daemon: await compile({ name: 'fake-daemon', sources: parts.daemon, watch: 'none' }),
    program: await compile({ name: 'lower', sources, watch: 'address' }),
    threaded: await compile({ name: 'lower', sources, watch: 'thread' }),
  };
});

const scenarios = [
  { title: 'layers are shown', scenario: 'shown' },
  { title: 'nodes that are not there have one answer', scenario: 'absent' },
  { title: 'nodes are taken for nothing but what they are', scenario: 'types' },
  { title: 'offsets, sizes and names may be wild', scenario: 'wild' },
  { title: 'a read that the kernel repeats ends as the first did', scenario: 'repeated', fault: 'eio-first' },
  { title: 'all that is asked at random is answered, once', scenario: 'random' },
];

for (const { title, scenario, fault = '' } of scenarios) {
  for (const watch of ['AddressSanitizer', 'ThreadSanitizer'] as const) {
    test(`${title}, as ${watch} sees it`, async (t) => {
      const { daemon, program, threaded } = t.context;
      const outcome = await mounted({ daemon, program: watch === 'AddressSanitizer' ? program : threaded }, scenario, {
        fault,
      });
      t.is(outcome.stderr, '');
      t.regex(outcome.stdout, /^checks [1-9]\d+\n$/);
      t.is(outcome.code, 0);
    });
  }
}
