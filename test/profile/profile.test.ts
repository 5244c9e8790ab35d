// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import { keepProfile, keptProfile, removeProfile } from '../../src/main/profile/kept.js';
import { formatProfile, MOST_BYTES, type Profile, parseProfile } from '../../src/main/profile/profile.js';

const IMAGE = digest(1);

function digest(n: number): string {
  return `sha256:${n.toString(16).padStart(64, '0')}`;
}

const PROFILE: Profile = {
  image: IMAGE,
  recorded: '2026-01-02T03:04:05.678Z',
  program: '/usr/bin/true',
  layers: [digest(2), digest(3)],
  order: [
    { layer: 1, path: 'usr/bin/true', first: 0, count: 1, bytes: 100, at: 0 },
    { layer: 0, path: 'a name of bytes \udc80', first: 3, count: 2, bytes: 200, at: 17 },
  ],
};

function cache(t: ExecutionContext): CacheLayout {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-profiles-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return new CacheLayout(directory);
}

test('what is written is read again, names that are no UTF-8 among it', (t) => {
  t.deepEqual(parseProfile(formatProfile(PROFILE), 'it'), PROFILE);
});

const run = [0, 'a', 0, 1, 1, 0];
const bad: readonly [why: string, change: object, message: RegExp][] = [
  ['another version', { version: 2 }, /version must be 1/],
  ['an image that is no digest', { image: 'sha256:1' }, /image must be sha256:/],
  ['a layer that is no digest', { layers: ['x'] }, /layers\.0 must be sha256:/],
  ['more layers than any image has', { layers: Array.from({ length: 1025 }, () => IMAGE) }, /at most 1024 layers/],
  ['a run that is no list', { order: [{}] }, /order\.0 must be a list of six/],
  ['a negative chunk', { order: [[0, 'a', -1, 1, 1, 0]] }, /must be a whole number/],
  ['a number beyond all integers', { order: [[0, 'a', 0, 1e300, 1, 0]] }, /must be a whole number/],
  ['a path without end', { order: [[0, 'a'.repeat(5000), 0, 1, 1, 0]] }, /must be a path/],
  ['more runs than are recorded', { order: Array.from({ length: 8193 }, () => run) }, /at most 8192 runs/],
  ['a time that is none', { recorded: 'now' }, /recorded must be a time/],
];

for (const [why, change, message] of bad) {
  test(`a profile is refused in one line: ${why}`, (t) => {
    const written = { ...(JSON.parse(String(formatProfile(PROFILE))) as object), ...change };
    const error = t.throws(() => parseProfile(Buffer.from(JSON.stringify(written)), 'it'), { code: 'CRFS_BAD_LAYER' });
    t.regex(error.message, message);
    t.false(error.message.includes('\n') || error.message.length > 300);
  });
}

test('of a start that read more than fits, the beginning is written', (t) => {
  const order = Array.from({ length: 8000 }, (_, n) => {
    return { layer: 0, path: `${n} ${'x'.repeat(1000)}`, first: 0, count: 1, bytes: 1, at: n };
  });
  const text = formatProfile({ ...PROFILE, order });
  t.true(text.length <= MOST_BYTES);
  const kept = parseProfile(text, 'it').order;
  t.true(kept.length > 1000);
  t.deepEqual(kept, order.slice(0, kept.length));
});

test('a profile is kept by its image, replaced as a whole, and removed once', (t) => {
  const layout = cache(t);
  t.is(keptProfile(layout, IMAGE), undefined);
  keepProfile(layout, PROFILE);
  keepProfile(layout, { ...PROFILE, program: null });
  t.is(keptProfile(layout, IMAGE)?.program, null);
  t.is(readdirSync(layout.profiles).length, 1);
  t.true(removeProfile(layout, IMAGE));
  t.false(removeProfile(layout, IMAGE));
  t.is(keptProfile(layout, IMAGE), undefined);
});

test('what is no profile of the image, or is too long for one, counts as none', (t) => {
  const layout = cache(t);
  keepProfile(layout, PROFILE);
  const another = formatProfile({ ...PROFILE, image: digest(9) });
  for (const bytes of [Buffer.from('{'), Buffer.alloc(0), another, Buffer.alloc(MOST_BYTES + 1, ' ')]) {
    writeFileSync(layout.profile(IMAGE), bytes);
    t.is(keptProfile(layout, IMAGE), undefined);
  }
});

test('of more profiles than are kept, those go that were written first', (t) => {
  const layout = cache(t);
  for (let n = 0; n < 512; n++) {
    keepProfile(layout, { ...PROFILE, image: digest(n) });
    utimesSync(layout.profile(digest(n)), n, n);
  }
  keepProfile(layout, { ...PROFILE, image: digest(600) });
  t.is(readdirSync(layout.profiles).length, 512);
  t.is(keptProfile(layout, digest(0)), undefined);
  t.not(keptProfile(layout, digest(1)), undefined);
  t.not(keptProfile(layout, digest(600)), undefined);
});
