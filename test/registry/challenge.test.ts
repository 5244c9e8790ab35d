// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { parseChallenges } from '../../src/main/registry/challenge.js';

for (const [header, expected] of [
  ['Basic realm="test"', [['basic', { realm: 'test' }]]],
  [
    'Bearer realm="https://a.com/t?x=1,2",service="s",scope="repository:a:pull,push"',
    [['bearer', { realm: 'https://a.com/t?x=1,2', service: 's', scope: 'repository:a:pull,push' }]],
  ],
  ['BASIC Realm=plain', [['basic', { realm: 'plain' }]]],
  ['Bearer realm = "a" , service = b', [['bearer', { realm: 'a', service: 'b' }]]],
  [
    'Basic realm="a", Bearer realm="b", error="c"',
    [
      ['basic', { realm: 'a' }],
      ['bearer', { realm: 'b', error: 'c' }],
    ],
  ],
  ['Basic realm="say \\"hi\\" \\\\"', [['basic', { realm: 'say "hi" \\' }]]],
  ['Negotiate', [['negotiate', {}]]],
  [
    'Negotiate dG9rZW4=, Basic realm="x"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'Negotiate, Basic realm=""',
    [
      ['negotiate', {}],
      ['basic', { realm: '' }],
    ],
  ],
  [', ,Basic realm="x",,', [['basic', { realm: 'x' }]]],
  ['Basic realm="unfinished', [['basic', {}]]],
  ['', []],
  ['"', []],
] as const) {
  test(`${JSON.stringify(header)} is parsed`, (t) => {
    const parsed = parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
    t.deepEqual(parsed, expected as unknown as typeof parsed);
  });
}

test('a long malicious header is parsed in linear time', (t) => {
  t.true(parseChallenges(`${'a '.repeat(100_000)}"${'\\'.repeat(100_000)}`).length <= 100_000);
});
