// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 12: layers that nobody converted. How fast they are indexed, what that takes, reads here and there, and first starts. */

import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isIndexed } from '../../src/main/formats/kinds.js';
import { recognise } from '../../src/main/formats/recognise.js';
import { buildIndex } from '../../src/main/index/build.js';
import { indexMemory } from '../../src/main/index/memory.js';
import { plainFormats } from '../../src/main/plain/plain.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { addon } from '../../src/native/addon.js';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { shuffled } from '../data/random.js';
import { Link } from '../link/link.js';
import { imageName, serveImages } from '../link/registry.js';
import { product, productByKernel } from '../machines/contenders.js';
import type { Machine } from '../machines/machine.js';
import { cat } from '../page-cache.js';
import { far } from '../plan.js';
import { quantile } from '../samples.js';
import { running } from '../starts/programs.js';
import { timePull } from '../starts/pull.js';
import { timeStart } from '../starts/time-start.js';
import { timed } from '../time.js';

const WORKLOAD = 12;
const PIECE = 1 << 20;
const READ_BYTES = 4 << 10;
const READS = 300;
/** Once before they count: the first time, JavaScript is slow. */
const BUILDS = 4;

export async function plain(bench: Bench): Promise<void> {
  const path = await bench.data.gzipped();
  await cat(path);
  await build(bench, path);
  await readHereAndThere(bench, path);
  await start(bench, path);
}

/** The index of a layer, next to zlib that inflates it into nothing, in turns. */
async function build(bench: Bench, path: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-bench-plain-'));
  const remove = bench.undo.add(async () => rmSync(directory, { recursive: true, force: true }));
  const { size } = statSync(path);
  const question = { workload: WORKLOAD, what: 'index a Debian root file system in gzip' } as const;
  for (let turn = 0; turn < BUILDS; turn++) {
    const zlib = await timed(async () => inflate(path));
    const index = join(directory, String(turn));
    const ours = await timed(() => makeIndex(path, index));
    if (turn === 0) continue;
    bench.record({ ...question, metric: 'time', unit: 's' }, 'zlib, into nothing', zlib);
    bench.record({ ...question, metric: 'time', unit: 's' }, 'crfs', ours);
    const share = (bytes: number): number => (bytes / size) * 100;
    bench.record({ ...question, metric: 'size of the index', unit: '%' }, 'crfs', share(statSync(index).size));
    bench.record({ ...question, metric: 'size of its points', unit: '%' }, 'crfs', share(pointBytes(index)));
  }
  await remove();
}

async function makeIndex(path: string, index: string): Promise<void> {
  const blob = openFileSource(path);
  const layer = await recognise(blob, undefined, plainFormats('index', undefined));
  await buildIndex({ layer, path: index, memoryLimit: indexMemory(0), blobIdentity: path });
  await blob.close();
}

/** Bytes of the restart points of an index, with their windows. */
function pointBytes(index: string): number {
  const header = readFileSync(index);
  const { index: at, table, point } = addon.layout;
  const count = (offset: number): number => Number(header.readBigUInt64LE(offset + table.count));
  return count(at.points) * point.bytes + count(at.windows);
}

/** By the zlib that makes indexes, in one thread. */
function inflate(path: string): void {
  const fd = openSync(path, 'r');
  const decoder = new addon.Decoder('gzip');
  const input = Buffer.alloc(PIECE);
  const output = Buffer.alloc(PIECE);
  for (let length = readSync(fd, input); length > 0; length = readSync(fd, input)) {
    for (let rest = input.subarray(0, length), isFull = true; rest.length > 0 || isFull; ) {
      const [used, made] = decoder.decodeNow(rest, output);
      rest = rest.subarray(used);
      isFull = made === output.length;
    }
  }
  decoder.close();
  closeSync(fd);
}

/** 4 KB of files all over a layer that lies on this machine, none of which was read before, nor kept when the layer was. */
async function readHereAndThere(bench: Bench, path: string): Promise<void> {
  const { tree } = await bench.data.debian();
  const found = String(await run('find', [tree, '-type', 'f', '-size', '+64k', '-printf', '%P\\0']));
  const files = found.split('\0').filter(Boolean).toSorted();
  const chosen = shuffled(files.length, 1)
    .slice(0, READS)
    .map((n) => files[n] as string);
  const alone = { ...productByKernel, settings: { CRFS_READAHEAD: '0' } };
  await bench.inTurn([alone], bench.plan.few, async (machine) => {
    const { merged, unmount } = await machine.mount({ tree, layer: `file://${path}` });
    const bytes = Buffer.alloc(READ_BYTES);
    const times = chosen.map((file) => {
      const fd = openSync(join(merged, file), 'r');
      const began = performance.now();
      readSync(fd, bytes);
      const us = (performance.now() - began) * 1000;
      closeSync(fd);
      return us;
    });
    const question = { workload: WORKLOAD, what: 'read 4 KB here and there', unit: 'us' } as const;
    for (const [share, part] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      bench.record({ ...question, metric: `time of a read, ${share}` }, machine.contender.name, quantile(times, part));
    }
    await unmount();
  });
}

/** First starts over a link, next to a pull of the same image: as it is, and with an index that another machine has attached to it. */
async function start(bench: Bench, path: string): Promise<void> {
  const images = await serveImages({ gzip: [path], indexed: [path] }, bench.undo);
  const link = await Link.open(far, images.port);
  const close = bench.undo.add(() => link.close());
  const remote = { link, images };
  const works = bench.plan.programs.map((program) => [`${program}, first start`, running(program)] as const);
  for (let turn = 0; turn < bench.plan.few; turn++) {
    await timePull(bench, remote, 'gzip', { workload: WORKLOAD, what: 'pull and extract' }, Object.fromEntries(works));
  }
  await bench.onMachine(product, async (machine) => {
    await machine.crfs('index', '--push', imageName(link.host, 'indexed'));
  });
  for (const [program, work] of bench.plan.programs.map((name) => [name, running(name)] as const)) {
    for (const [tag, what, check] of [
      ['gzip', `${program}, first start`, undefined],
      ['indexed', `${program}, indexed, first start`, expectIndexed],
    ] as const) {
      await bench.inTurn([product, productByKernel], bench.plan.few, async (machine) => {
        await cat(images.root);
        await timeStart(bench, machine, remote, tag, { workload: WORKLOAD, what }, work, check);
      });
    }
  }
  await close();
  await images.stop();
}

/** Throws if a start went by no index in the registry: then another thing was timed. */
async function expectIndexed(machine: Machine): Promise<void> {
  const { layers } = await machine.status();
  if (!layers.every(({ kind }) => isIndexed(kind)))
    throw new Error('the index was not found in the registry of the image');
}
