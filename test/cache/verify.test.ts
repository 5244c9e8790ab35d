// SPDX-License-Identifier: GPL-3.0-or-later

/** What a look through the cache finds. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type BlobRecord, parseRecord, readRecord, writeRecord } from '../../src/main/cache/records.js';
import { verifyCache } from '../../src/main/cache/verify.js';
import { blocksOf, CacheLayout } from '../../src/main/disk/cache-layout.js';
import { BLOCK } from '../../src/main/fetch/blocks.js';
import { file, type Indexed, indexOf, sha256 } from '../tools/toc.js';

/** The layout of an empty cache. */
function place(t: ExecutionContext): CacheLayout {
  const path = mkdtempSync(join(tmpdir(), 'crfs-verify-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  const layout = new CacheLayout(path);
  for (const directory of layout.directories) mkdirSync(directory, { recursive: true });
  return layout;
}

function put(path: string, content: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function recordOf({ bytes, summary }: Indexed): BlobRecord {
  return { ...summary, indexDigest: createHash('sha256').update(bytes).digest('hex') };
}

async function bad(layout: CacheLayout): Promise<string[]> {
  const { removed } = await verifyCache(layout);
  for (const { path } of removed) if (existsSync(path)) throw new Error(`${path} is still there`);
  return removed.map(({ path }) => path);
}

test('each chunk of an object is held against its digest, behind one without any, too', async (t) => {
  const layout = place(t);
  const indexed = await indexOf(t, [
    { name: 'a', type: 'reg', size: 8, offset: 100, chunkSize: 4 },
    { type: 'chunk', offset: 200, chunkOffset: 4, chunkDigest: sha256('good') },
  ]);
  writeRecord(layout, 'blob', recordOf(indexed));
  put(layout.index(indexed.summary.key), indexed.bytes);
  const name = indexed.index.objectName(indexed.index.find('a'));
  const object = put(join(layout.objects, name.slice(0, 2), name), 'somegood');
  t.deepEqual(await bad(layout), []);
  put(object, 'somebaad');
  t.deepEqual(await bad(layout), [object]);
  t.deepEqual(await bad(layout), [], 'what is bad is told once');
});

test('a map of blocks is as long as its blob has blocks, and has a blob', async (t) => {
  const layout = place(t);
  const maps = [0, 1, 2, 3].map((length) => {
    const blob = put(layout.blob(`b${length}`), Buffer.alloc(2 * BLOCK));
    return put(blocksOf(blob), Buffer.alloc(length, 1));
  });
  const alone = put(blocksOf(layout.blob('none')), Buffer.alloc(1));
  const strange = put(blocksOf(put(layout.blob('b'), Buffer.alloc(10))), Buffer.alloc(1, 9));
  const found = await bad(layout);
  t.is(found.length, 5);
  for (const path of [maps[0], maps[1], maps[3], alone, strange]) t.true(found.includes(path ?? ''), path);
});

test('a record says all that it should, or counts for nothing', async (t) => {
  const layout = place(t);
  const record = recordOf(await indexOf(t, [file('a', 100)]));
  writeRecord(layout, 'blob', record);
  t.like(readRecord(layout, 'blob'), { key: record.key, indexDigest: record.indexDigest });
  t.is(readRecord(layout, 'another'), undefined);
  const lacking = [
    'key',
    'tocDigest',
    'indexDigest',
    'tocOffset',
    'inodes',
    'files',
    'contentSize',
    'kind',
    'unverified',
  ];
  for (const field of lacking) t.is(parseRecord(JSON.stringify({ ...record, [field]: undefined })), undefined, field);
  for (const text of ['', 'null', '[]', '{}']) t.is(parseRecord(text), undefined, text);
  const broken = put(layout.record('blob'), JSON.stringify({ ...record, indexDigest: undefined }));
  t.deepEqual(await bad(layout), [broken]);
});

test('what is removed behind the list of files is not bad, nor is the look given up', async (t) => {
  const layout = place(t);
  const gate = layout.record('gate'); // all files are listed before this one is read, by a look that then waits
  execFileSync('mkfifo', [gate]);
  const [evicted, broken] = ['evicted', 'broken'].map((content) => {
    const name = createHash('sha256').update(content).digest('hex');
    return put(join(layout.objects, name.slice(0, 2), name), content === 'broken' ? 'br0ken' : content);
  }) as [string, string];
  const looking = verifyCache(layout);
  const writer = await open(gate, 'w');
  rmSync(evicted);
  await writer.writeFile(JSON.stringify(recordOf(await indexOf(t, [{ name: 'a', type: 'dir' }]))));
  await writer.close();
  const { checked, removed } = await looking;
  t.deepEqual([checked, removed.map(({ path }) => path)], [2, [broken]]);
});
