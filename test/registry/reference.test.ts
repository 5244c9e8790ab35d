// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { formatReference, parseReference } from '../../src/main/registry/reference.js';
import type { Reference } from '../../src/main/registry/types.js';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

for (const [text, canonical] of [
  ['docker://docker.io/debian', 'docker://docker.io/library/debian:latest'],
  ['docker://debian:12', 'docker://docker.io/library/debian:12'],
  ['docker://team/tool', 'docker://docker.io/team/tool:latest'],
  ['docker.io/team/tool:1', 'docker://docker.io/team/tool:1'],
  ['index.docker.io/debian', 'docker://docker.io/library/debian:latest'],
  ['localhost/a', 'docker://localhost/a:latest'],
  ['localhost:5000/a/b/c:x.y-z_1', 'docker://localhost:5000/a/b/c:x.y-z_1'],
  ['127.0.0.1:5000/a', 'docker://127.0.0.1:5000/a:latest'],
  ['[::1]:5000/a', 'docker://[::1]:5000/a:latest'],
  ['HOST/a', 'docker://HOST/a:latest'],
  [`example.com/a__b/c-d.e@${DIGEST}`, `docker://example.com/a__b/c-d.e@${DIGEST}`],
  [`example.com/a:tag@${DIGEST}`, `docker://example.com/a:tag@${DIGEST}`],
] as const) {
  test(`${text} stands for ${canonical}`, (t) => {
    const parsed = parseReference(text);
    t.true('registry' in parsed);
    t.is(formatReference(parsed as Reference), canonical);
  });
}

test('a canonical name stands for itself', (t) => {
  const once = parseReference(`example.com:443/a/b:c@${DIGEST}`) as Reference;
  t.deepEqual(parseReference(formatReference(once)), once);
});

test('a bare name without a registry stays short', (t) => {
  t.deepEqual(parseReference('debian:12'), { name: 'debian', tag: '12' });
  t.deepEqual(parseReference('team/tool'), { name: 'team/tool' });
});

for (const text of [
  '',
  'docker://',
  'Debian',
  'example.com/',
  'example.com/A',
  'example.com//a',
  'example.com/a/',
  'example.com/../a',
  'example.com/a b',
  'example.com/a:',
  'example.com/a:-tag',
  `example.com/a:${'x'.repeat(129)}`,
  'example.com/a@sha256:12',
  `example.com/a@sha512:${'0'.repeat(128)}`,
  `example.com/a@${DIGEST}@${DIGEST}`,
  'example.com:99999/a',
  'example.com:/a',
  '-x.com/a',
  'user@example.com/a',
  'example.com/a?b=c',
  'example.com/a#b',
  'example.com/a\n',
  `example.com/${'a/'.repeat(130)}a`,
  '0123456789abcdef'.repeat(4),
]) {
  test(`${JSON.stringify(text.slice(0, 60))} is not a reference`, (t) => {
    const error = t.throws(() => parseReference(text), { instanceOf: CrfsError });
    t.is(error?.code, 'CRFS_USAGE');
  });
}
