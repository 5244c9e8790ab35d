// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { IndexReader } from '../../src/main/index/reader.js';
import { entriesOf, headerOf } from '../tools/index-facts.js';
import { run } from '../tools/run.js';

const ENTRIES = 1_000_000;
const program = fileURLToPath(new URL('../tools/index-million.js', import.meta.url));

test('a layer of a million entries is indexed in less than 500 bytes of memory an entry', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'crfs-million-'));
  t.teardown(() => rmSync(place, { recursive: true }));
  const path = join(place, 'index');
  const result = JSON.parse(String(await run(process.execPath, [program, String(ENTRIES), path]))) as {
    readonly growth: number;
    readonly files: number;
    readonly inodes: number;
  };
  t.log(`${Math.round(result.growth / ENTRIES)} bytes an entry`);
  t.true(result.growth <= 500 * ENTRIES, `grew by ${result.growth} bytes`);
  t.is(result.files, (ENTRIES / 16) * 15);

  const bytes = readFileSync(path);
  const index = new IndexReader(bytes);
  t.is(index.inodes, result.inodes);
  let found = 0;
  for (const { path: name, inode } of entriesOf(index)) {
    found += index.find(name) === inode ? 1 : 0;
    found -= index.find(`${name}~`) === -1 ? 0 : 1;
  }
  t.is(found, headerOf(bytes).dirents);
  t.is(index.size(index.find('usr/lib/node_modules/package-0/dist/part-0/some-module-15.js')), 16);
});
