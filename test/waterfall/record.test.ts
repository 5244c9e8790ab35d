// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import { keepStart, keptStart, removeStart } from '../../src/main/waterfall/kept.js';
import { startOf } from '../../src/main/waterfall/of-profile.js';
import { formatStart, MOST_BYTES, parseStart, type StartRecord } from '../../src/main/waterfall/record.js';
import { digest, START } from './sample.js';

test('what is written is read again', (t) => {
  t.deepEqual(parseStart(formatStart(START), 'it'), START);
});

const bad: readonly [why: string, change: object, message: RegExp][] = [
  ['another version', { version: 2 }, /version must be 1/],
  ['an image that is no digest', { image: 'x' }, /image must be sha256:/],
  ['a file of a layer that is not there', { files: [[2, 'a']], reads: [], waits: [], unread: [] }, /that are in it/],
  ['a read of a file that is not there', { reads: [[4, 1, 0, null]] }, /that are in it/],
  ['a read by a request that is not there', { reads: [[0, 1, 0, 4]] }, /that are in it/],
  ['a wait for a file that is not there', { waits: [[4, 0, 1, 1]] }, /that are in it/],
  ['a request for a layer that is not there', { requests: [[2, 'toc', 0, 0, 0, 0]], reads: [] }, /that are in it/],
  ['a purpose that is none', { requests: [[0, 'fun', 0, 0, 0, 0]] }, /a purpose/],
  ['a time before all', { waits: [[0, -1, 0, 0]] }, /a time/],
  ['more than a list has', { unread: Array.from({ length: 8193 }, () => [0, 0, 'toc']) }, /at most 8192/],
];

for (const [why, change, message] of bad) {
  test(`a record is refused in one line: ${why}`, (t) => {
    const written = { ...(JSON.parse(String(formatStart(START))) as object), ...change };
    const error = t.throws(() => parseStart(Buffer.from(JSON.stringify(written)), 'it'), { code: 'CRFS_BAD_LAYER' });
    t.regex(error.message, message);
    t.false(error.message.includes('\n') || error.message.length > 300);
  });
}

test('of a start that is more than fits, what is about its first files is written, and is sound', (t) => {
  const files = Array.from({ length: 8192 }, (_, n) => ({ layer: 0, path: `${n} ${'x'.repeat(1000)}` }));
  const requests = Array.from({ length: 8193 }, () => START.requests[0] as StartRecord['requests'][number]);
  const reads = files.map((_, file) => ({ file, bytes: 1, at: file, request: 8192 - file }));
  const waits = files.map((_, file) => ({ file, at: file, ms: 1, networkMs: 1 }));
  const large: StartRecord = { ...START, files, reads, waits, requests };
  const text = formatStart(large);
  t.true(text.length <= MOST_BYTES);
  const kept = parseStart(text, 'it');
  t.true(kept.files.length > 1000);
  t.deepEqual(kept.files, files.slice(0, kept.files.length));
  t.is(kept.reads.length, kept.files.length);
  t.deepEqual([kept.reads[0]?.request, kept.reads[1]?.request], [null, 8191], 'the last request is not kept');
});

test('the last start of an image is kept, of so many images; what is damaged, or of another image, counts as none', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-starts-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const layout = new CacheLayout(directory);
  t.is(keptStart(layout, START.image), undefined);
  keepStart(layout, START);
  keepStart(layout, { ...START, missed: 7 });
  t.is(keptStart(layout, START.image)?.missed, 7);
  for (const bytes of [Buffer.from('{'), formatStart({ ...START, image: digest(9) }), Buffer.alloc(MOST_BYTES + 1)]) {
    writeFileSync(layout.start(START.image), bytes);
    t.is(keptStart(layout, START.image), undefined);
  }
  for (let n = 100; n < 228; n++) {
    keepStart(layout, { ...START, image: digest(n) });
    utimesSync(layout.start(digest(n)), n, n);
  }
  keepStart(layout, { ...START, image: digest(500) });
  t.is(readdirSync(layout.starts).length, 128);
  t.not(keptStart(layout, digest(500)), undefined);
  removeStart(layout, digest(500));
  removeStart(layout, digest(500));
  t.is(keptStart(layout, digest(500)), undefined);
});

test('a profile alone says what was read, each file once', (t) => {
  const order = [
    { layer: 0, path: 'a', first: 0, count: 1, bytes: 10, at: 0 },
    { layer: 0, path: 'b', first: 0, count: 1, bytes: 20, at: 5 },
    { layer: 0, path: 'a', first: 3, count: 1, bytes: 30, at: 9 },
    { layer: 7, path: 'of a layer that is not there', first: 0, count: 1, bytes: 1, at: 10 },
  ];
  const profile = { image: digest(1), recorded: START.began, program: null, layers: [digest(2)], order };
  const record = startOf(profile);
  t.deepEqual(
    record.files.map(({ path }) => path),
    ['a', 'b'],
  );
  t.deepEqual(
    record.reads.map(({ file, bytes, at }) => [file, bytes, at]),
    [
      [0, 10, 0],
      [1, 20, 5],
      [0, 30, 9],
    ],
  );
  t.deepEqual(parseStart(formatStart(record), 'it'), record);
});
