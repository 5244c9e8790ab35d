// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { StreamSource } from '../../src/main/blob/source.js';
import { blocksOf } from '../../src/main/disk/cache-layout.js';
import { download } from '../../src/main/fetch/background.js';
import { BlobFile } from '../../src/main/fetch/blob-file.js';
import { BLOCK, Blocks } from '../../src/main/fetch/blocks.js';
import { Fetcher } from '../../src/main/fetch/fetcher.js';
import { Link } from '../../src/main/fetch/link.js';
import { Traffic } from '../../src/main/fetch/traffic.js';
import { sameBytes } from '../tools/bytes.js';
import { Gate } from '../tools/gate.js';
import { until } from '../tools/machine.js';

const BLOCKS = 80;
const content = randomBytes(BLOCKS * BLOCK - 1234);

/** A source in memory that notes what is asked for, and fails while it is told to. */
class Memory implements StreamSource {
  readonly name = 'memory';
  readonly size = content.length;
  readonly asked: [number, number][] = [];
  failure: Error | undefined;
  streams = 0;

  async read(offset: number, length: number): Promise<Uint8Array> {
    return content.subarray(offset, offset + length);
  }

  async *stream(offset: number, length: number): AsyncGenerator<Uint8Array> {
    this.asked.push([offset, length]);
    this.streams++;
    for (let at = offset; at < offset + length; at += 10_000) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.failure && at > offset + length / 2) throw this.failure;
      yield content.subarray(at, Math.min(at + 10_000, offset + length));
    }
    this.streams--;
  }

  async close(): Promise<void> {}
}

function setUp(t: ExecutionContext) {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-fetch-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'blob');
  const open = () => {
    const source = new Memory();
    const file = BlobFile.open(path, source.size);
    const arrivals: [number, number][] = [];
    const link = new Link();
    const traffic = new Traffic();
    link.measured(1, 1, 0);
    const fetcher = new Fetcher(source, file, link, traffic, (offset, end) => arrivals.push([offset, end]));
    return { source, file, fetcher, arrivals, link, traffic };
  };
  return { path, open };
}

function total(asked: readonly [number, number][]): number {
  return asked.reduce((sum, [, length]) => sum + length, 0);
}

test('what was noted by blocks of another size is not there', (t) => {
  const { path } = setUp(t);
  for (const [noted, present] of [
    [BLOCKS, BLOCKS],
    [BLOCKS / 2, 0],
    [2 * BLOCKS, 0],
  ] as const) {
    writeFileSync(path, content);
    writeFileSync(blocksOf(path), Buffer.alloc(noted, 1));
    const file = BlobFile.open(path, content.length);
    t.is(file.blocks.present, present, `${noted} blocks`);
    file.close();
    t.is(statSync(blocksOf(path)).size, BLOCKS);
  }
});

test('what was needed is in the file', async (t) => {
  const { path, open } = setUp(t);
  const { fetcher, file } = open();
  await fetcher.need(5 * BLOCK + 17, 7 * BLOCK + 3);
  t.true(file.blocks.covers(5 * BLOCK, 8 * BLOCK));
  sameBytes(t, readFileSync(path).subarray(5 * BLOCK, 8 * BLOCK), content.subarray(5 * BLOCK, 8 * BLOCK));
});

test('no byte is fetched twice, however many ask at the same time', async (t) => {
  const { open } = setUp(t);
  const { fetcher, source } = open();
  const needs = Array.from({ length: 50 }, (_, i) => {
    const offset = (i * 7919 * 31) % (content.length - 50_000);
    return fetcher.need(offset, offset + 50_000);
  });
  await Promise.all(needs);
  await fetcher.need(0, content.length);
  t.is(total(source.asked), content.length);
});

test('nothing is fetched again after a restart', async (t) => {
  const { open } = setUp(t);
  const first = open();
  await first.fetcher.need(0, 10 * BLOCK);
  await first.fetcher.close();
  const second = open();
  await second.fetcher.need(0, 10 * BLOCK);
  t.deepEqual(second.source.asked, []);
  await second.fetcher.need(0, content.length);
  t.is(total(first.source.asked) + total(second.source.asked), content.length);
});

test('a failure reaches all who wait, and what had arrived stays', async (t) => {
  const { open } = setUp(t);
  const { fetcher, source, file, arrivals } = open();
  source.failure = new Error('the line is cut');
  const waiting = await Promise.allSettled([fetcher.need(0, 20 * BLOCK), fetcher.need(19 * BLOCK, 20 * BLOCK)]);
  t.deepEqual(
    waiting.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  t.true(file.blocks.has(0));
  t.true(arrivals.length > 0 && arrivals.every(([offset, end]) => file.blocks.covers(offset, end)));
  source.failure = undefined;
  await fetcher.need(0, 20 * BLOCK);
  t.true(file.blocks.covers(0, 20 * BLOCK));
});

test('whoever needs the beginning of a long fetch does not wait for its end', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file } = open();
  const all = fetcher.need(0, content.length);
  await fetcher.need(0, 1);
  t.false(file.blocks.covers(0, content.length));
  await all;
});

test('it is told what has arrived', async (t) => {
  const { open } = setUp(t);
  const { fetcher, arrivals } = open();
  await fetcher.prefetch((BLOCKS - 1) * BLOCK, content.length, 'background');
  t.deepEqual(arrivals, [[(BLOCKS - 1) * BLOCK, content.length]]);
});

test('a background download brings the landmark range first, then everything', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file, link, source, traffic } = open();
  const signal = new AbortController().signal;
  await download({
    fetcher,
    file,
    link,
    traffic,
    prefetchEnd: 3 * BLOCK,
    all: false,
    rate: 0,
    hasRoom: () => true,
    signal,
  });
  t.true(file.blocks.covers(0, 3 * BLOCK));
  t.false(file.blocks.has(39));
  await download({
    fetcher,
    file,
    link,
    traffic,
    prefetchEnd: 3 * BLOCK,
    all: true,
    rate: 0,
    hasRoom: () => true,
    signal,
  });
  t.true(file.blocks.covers(0, content.length));
  t.is(total(source.asked), content.length);
});

test('a background download ends where there is no room, and says so', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file, link, traffic } = open();
  const { signal } = new AbortController();
  const work = { fetcher, file, link, traffic, prefetchEnd: 0, all: true, rate: 0, signal };
  t.false(await download({ ...work, hasRoom: () => file.blocks.present < 7 }));
  const { present } = file.blocks;
  t.true(present >= 7 && present < 40, `${present}`); // two pieces were under way
  t.false(await download({ ...work, prefetchEnd: 12 * BLOCK, hasRoom: () => false }));
  t.is(file.blocks.present, present);
  t.true(await download({ ...work, hasRoom: () => true }));
  t.is(file.blocks.present, BLOCKS);
});

test('a background download whose layer goes while it waits for quiet fetches nothing more', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file, link, source, traffic } = open();
  const gate = new EventEmitter();
  const demand = traffic.demand(() => once(gate, 'open'));
  const gone = new AbortController();
  const work = { fetcher, file, link, traffic, prefetchEnd: 0, all: true, rate: 0, hasRoom: () => true };
  const downloading = download({ ...work, signal: gone.signal });
  await new Promise((resolve) => setImmediate(resolve));
  gone.abort();
  await downloading;
  t.deepEqual(source.asked, []);
  gate.emit('open');
  await demand;
});

test('a background download waits, with the landmark range too, until starts have what they are about to read', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file, link, source, traffic } = open();
  const gate = new Gate();
  const starting = traffic.startUp(() => gate.pass());
  const work = { fetcher, file, link, traffic, prefetchEnd: BLOCK, all: false, rate: 0, hasRoom: () => true };
  const downloading = download({ ...work, signal: new AbortController().signal });
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(source.asked, []);
  gate.open();
  await Promise.all([starting, downloading]);
  t.deepEqual(source.asked, [[0, BLOCK]]);
});

test('bytes that are fetched again and are as wrong as before are not asked for a third time', (t) => {
  const blocks = Blocks.of(3 * BLOCK);
  for (const block of [0, 1, 2]) blocks.add(block);
  t.true(blocks.doubt(0, 2 * BLOCK));
  t.deepEqual([blocks.has(0), blocks.has(1), blocks.has(2)], [false, false, true]);
  blocks.add(0);
  blocks.add(1);
  t.true(blocks.covers(0, 3 * BLOCK));
  t.false(blocks.doubt(0, 2 * BLOCK));
  t.true(blocks.covers(0, 3 * BLOCK));
  t.true(blocks.doubt(BLOCK, 3 * BLOCK), 'the last one was not fetched again yet');
});

test('a blob that several layers have open is closed by the last of them', (t) => {
  const { open } = setUp(t);
  const [one, other] = [open().file, open().file];
  t.is(one, other);
  one.close();
  t.notThrows(() => other.store(3, content.subarray(3 * BLOCK, 4 * BLOCK)));
  other.close();
  t.throws(() => other.store(4, content.subarray(4 * BLOCK, 5 * BLOCK)), { code: 'EBADF' });
});

test('a range is there when its last byte is, even where that is the first of a block', (t) => {
  const blocks = Blocks.of(3 * BLOCK);
  blocks.add(0);
  t.true(blocks.covers(0, BLOCK));
  t.false(blocks.covers(0, BLOCK + 1));
  t.false(blocks.covers(BLOCK - 1, BLOCK + 1));
  blocks.add(1);
  t.true(blocks.covers(0, BLOCK + 1));
});

test('a block that could not be written is not there, now or after a restart', (t) => {
  const { open, path } = setUp(t);
  const { file } = open();
  closeSync(file.fd);
  t.throws(() => file.store(3, content.subarray(3 * BLOCK, 4 * BLOCK)), { code: 'EBADF' });
  t.false(file.blocks.has(3));
  t.false(new Set(readFileSync(`${path}.blocks`)).has(1));
});

test('a map of blocks that stands beside another blob counts for nothing', (t) => {
  const { path, open } = setUp(t);
  const before = open().file;
  before.store(3, content.subarray(3 * BLOCK, 4 * BLOCK));
  before.close();
  writeFileSync(path, ''); // as after the end of the machine: the one was written out, the other was not
  for (let round = 1; round <= 2; round++) {
    const { file } = open();
    t.is(file.blocks.present, 0);
    file.close();
  }
});

function from(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

test('what lies on both sides comes along, and more of it where demands come near each other', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file, link, source } = open();
  for (let i = 0; i < 8; i++) link.measured(8 * BLOCK, 8, 8); // a unit of eight blocks
  const brought = async (block: number, alone = false): Promise<number[]> => {
    const before = [...Array(BLOCKS).keys()].filter((b) => file.blocks.has(b));
    await fetcher.need(block * BLOCK, block * BLOCK + 1, { alone });
    while (source.streams > 0) await new Promise((resolve) => setImmediate(resolve));
    return [...Array(BLOCKS).keys()].filter((b) => file.blocks.has(b) && !before.includes(b));
  };
  t.deepEqual(await brought(4), from(1, 8));
  t.deepEqual(await brought(BLOCKS - 1), from(BLOCKS - 8, 8));
  t.deepEqual(await brought(20), from(13, 16));
  t.deepEqual(await brought(50, true), [50]);
});

test('what can wait does not begin before it is quiet, and goes two at a time', async (t) => {
  const [traffic, other] = [new Traffic(), new Traffic()];
  const order: string[] = [];
  const gate = new EventEmitter();
  const demand = traffic.demand(() => once(gate, 'open'));
  const { signal } = new AbortController();
  const begun = new Set<number>();
  const ends = once(gate, 'end');
  const background = [1, 2, 3].map((n) =>
    traffic.inTurn(async () => {
      await traffic.quiet(signal);
      order.push('begins');
      begun.add(n);
      await ends;
      order.push('ends');
    }),
  );
  order.push('demand ends');
  gate.emit('open');
  await until('two have begun', () => begun.size > 1);
  for (let round = 0; round < 2; round++) {
    await other.demand(async () => undefined);
    await other.quiet(signal); // a third would have begun by then
  }
  gate.emit('end');
  await Promise.all([demand, ...background]);
  t.deepEqual(order.slice(0, 4), ['demand ends', 'begins', 'begins', 'ends']);
  t.deepEqual(order.slice(4).sort(), ['begins', 'ends', 'ends']);
});

async function fails(): Promise<never> {
  throw new Error('the line is cut');
}

test('what fails keeps nothing else from its turn', async (t) => {
  const [traffic, other] = [new Traffic(), new Traffic()];
  const ended = new AbortController();
  t.teardown(() => ended.abort());
  await t.throwsAsync(traffic.demand(fails));
  await t.throwsAsync(traffic.inTurn(fails));
  t.is(await traffic.inTurn(async () => 'its turn'), 'its turn');
  let isQuiet = false;
  const quiet = traffic.quiet(ended.signal).then(() => (isQuiet = true));
  for (let round = 0; round < 2; round++) {
    await other.demand(async () => undefined);
    await other.quiet(ended.signal);
  }
  t.true(isQuiet, 'it is as soon as where nothing failed');
  await quiet;
});

test('the round trip of a link is the shortest, whatever waited behind other bytes', (t) => {
  const link = new Link();
  for (const waited of [20, 90, 400]) link.measured(1 << 20, waited, ((1 << 20) / 25e6) * 1000);
  t.is(Math.round(link.unit / 1000), 500);
});

test('the unit of a link is its bandwidth times its round trip', (t) => {
  const link = new Link();
  link.measured(10 << 20, 20, ((10 << 20) / 25e6) * 1000);
  t.is(Math.round(link.unit / 1000), 500);
});

test('where bytes turned out to be wrong, the source is told before they are fetched again', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file, source } = open();
  const doubted: [number, number][] = [];
  Object.assign(source, { doubt: (offset: number, length: number) => doubted.push([offset, length]) });
  await fetcher.prefetch(0, 4 * BLOCK, 'background');
  t.deepEqual(doubted, []);
  file.blocks.doubt(BLOCK, 3 * BLOCK);
  await fetcher.prefetch(0, 6 * BLOCK, 'background');
  t.deepEqual(doubted, [[BLOCK, 2 * BLOCK]]);
  await fetcher.prefetch(0, 8 * BLOCK, 'background');
  t.is(doubted.length, 1);
});

/** Two blocks that somebody waits for leave room for one piece ahead of a reader. */
function goOn(fetcher: Fetcher): Promise<unknown> {
  const others = [fetcher.prefetch(0, 1, 'background'), fetcher.prefetch(2 * BLOCK, 2 * BLOCK + 1, 'background')];
  fetcher.ahead(1, 4 * BLOCK, content.length);
  return Promise.allSettled(others);
}

test('what a reader goes on to comes piece by piece, as others leave room, and is told of as it comes', async (t) => {
  const { open } = setUp(t);
  const { fetcher, file, source, arrivals } = open();
  void goOn(fetcher);
  t.deepEqual(source.asked.slice(2), [[4 * BLOCK, 1 << 20]]);
  while (!file.blocks.covers(4 * BLOCK, content.length)) await new Promise((resolve) => setImmediate(resolve));
  t.is(source.asked.length, 5);
  t.is(total(source.asked), total(arrivals.map(([offset, end]) => [offset, end - offset])));
});

test('after a failure, what readers go on to is not asked for again by itself', async (t) => {
  const { open } = setUp(t);
  const { fetcher, source } = open();
  source.failure = new Error('it broke');
  await goOn(fetcher);
  await fetcher.close();
  t.is(source.asked.length, 3);
});
