// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 3: many readers at once, of one layer and of eight, small files and large ones, nothing cached. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import type { ParallelData } from '../data/data.js';
import { shuffled } from '../data/random.js';
import { inflateLimit } from '../limit/limit.js';
import { type Contender, tuned } from '../machines/contenders.js';
import type { Machine } from '../machines/machine.js';
import type { Lower } from '../machines/mount-command.js';
import { warm } from '../page-cache.js';
import { COMPARED_READERS } from '../plan.js';
import { type Question, quantile } from '../samples.js';

type Files = 'small' | 'large';

/** What one run of the readers yields. */
export interface Reading {
  /** Bytes a second. */
  readonly rate: number;
  /** Of each file: microseconds from before its open to its first byte. */
  readonly firstByte: readonly number[];
}

const engines = ['zlib', 'pako'].map((engine) => tuned(engine, { CRFS_ENGINE: engine }));
const workers = [1, 2].map((count) =>
  tuned(`${count} ${count === 1 ? 'worker' : 'workers'}`, { CRFS_WORKERS: `${count}` }),
);
const withoutReadahead = tuned('no readahead', { CRFS_READAHEAD: '0' });

export async function parallel(bench: Bench): Promise<void> {
  for (const files of ['small', 'large'] as const) {
    const data = await bench.data.parallel(files);
    const contenders = await bench.verified.sameBytes(bench, bench.contenders, data.one);
    await compareReaders(bench, contenders, files, data);
    await compareSettings(bench, files, data);
  }
}

/** Every number of readers, on one layer and on eight. */
async function compareReaders(
  bench: Bench,
  contenders: readonly Contender[],
  files: Files,
  data: ParallelData,
): Promise<void> {
  const { plan } = bench;
  for (const lowers of [[data.one], data.eight]) {
    for (const readers of lowers.length === 1 ? plan.readers : plan.readersOfEight) {
      await bench.inTurn(contenders, plan.few, async (machine) => {
        recordReading(bench, machine, await readCold(bench, machine, lowers, readers), {
          files,
          readers,
          layers: lowers.length,
        });
      });
    }
  }
}

/** Engines, numbers of workers and readahead, on one layer; and what the processors could do at best. */
async function compareSettings(bench: Bench, files: Files, data: ParallelData): Promise<void> {
  const { few } = bench.plan;
  const readers = COMPARED_READERS;
  for (let turn = 0; turn < few; turn++) {
    for (const what of ['inflate', 'inflate and digest'] as const) {
      const rate = await inflateLimit(data.one.path, what !== 'inflate');
      const question = {
        workload: 3,
        what: `${what} all members in memory`,
        metric: 'throughput',
        unit: 'MB/s',
      } as const;
      bench.record({ ...question, files }, 'libdeflate on all cores', rate / 1e6);
    }
  }
  if (!bench.plan.settings) return;
  await bench.inTurn([...engines, ...workers], few, async (machine) => {
    recordReading(bench, machine, await readCold(bench, machine, [data.one], readers), { files, readers, layers: 1 });
  });
  if (files === 'large') return;
  await bench.inTurn([withoutReadahead], few, async (machine) => {
    recordReading(bench, machine, await readCold(bench, machine, [data.one], 1), { files, readers: 1, layers: 1 });
  });
}

/** Mounts the layers, each by a fuse-overlayfs of its own, and has all their files read, in no order. */
export async function readCold(
  bench: Bench,
  machine: Machine,
  lowers: readonly Lower[],
  readers: number,
): Promise<Reading> {
  await warm(machine.contender, lowers);
  const mounts = [];
  for (const lower of lowers) mounts.push(await machine.mount(lower));
  const files = mounts.flatMap(({ merged }, n) => filesOf(lowers[n]?.tree ?? '').map((path) => join(merged, path)));
  const list = shuffled(files.length, readers).map((n) => `${files[n]}\0`);
  const output = await run(bench.native.reader, [String(readers)], { stdin: list.join('') });
  for (const mount of mounts) await mount.unmount();
  const [total = '', ...times] = String(output).trim().split('\n');
  const [nanoseconds = 0, bytes = 0] = total.split(' ').map(Number);
  return { rate: bytes / (nanoseconds / 1e9), firstByte: times.map((time) => Number(time) / 1000) };
}

/** The files below a directory, by paths that are good in a mount of it too: asking the mount would warm it. */
function filesOf(tree: string): string[] {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length));
}

function recordReading(
  bench: Bench,
  { contender }: Machine,
  { rate, firstByte }: Reading,
  how: Pick<Question, 'files' | 'readers' | 'layers'>,
): void {
  const question = { workload: 3, what: 'read all files, cold', ...how } as const;
  bench.record({ ...question, metric: 'throughput', unit: 'MB/s' }, contender.name, rate / 1e6);
  const p50 = quantile(firstByte, 0.5);
  const p99 = quantile(firstByte, 0.99);
  bench.record({ ...question, metric: 'first byte, p50', unit: 'us' }, contender.name, p50);
  bench.record({ ...question, metric: 'first byte, p99', unit: 'us' }, contender.name, p99);
}
