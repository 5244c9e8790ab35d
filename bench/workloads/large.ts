// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 7: large files over a link, whose reads wait for their own chunks alone. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import type { Large } from '../data/data.js';
import { SMALL_FILES, smallFile } from '../data/large.js';
import { shuffled } from '../data/random.js';
import { Link } from '../link/link.js';
import { serveBlobs } from '../link/registry.js';
import { extracted, productByKernel, tuned } from '../machines/contenders.js';
import type { Machine, Mount } from '../machines/machine.js';
import { hostOf, memoryOf } from '../machines/processes.js';
import { cat } from '../page-cache.js';
import { far, type LinkPlan, nearest } from '../plan.js';
import { quantile } from '../samples.js';
import { timed } from '../time.js';

const PART = 1 << 20;
const RANDOM = 4 << 10;
const RANDOM_READS = 64;
/** Small files that are read again and again while the large one is, and those that are read for the first time then. */
const COLD = 16;
const ROUNDS = 20;

/** The background would fetch what nobody reads; these measure what is fetched for those who do. */
const alone = tuned('no background', { CRFS_BACKGROUND: 'off' });

/** A layer behind a link. */
interface Place {
  readonly plan: LinkPlan;
  readonly link: Link;
  readonly url: string;
  readonly data: Large;
}

export async function large(bench: Bench): Promise<void> {
  const { part, whole } = bench.plan.large;
  const [inPart, all] = [await bench.data.large(part), await bench.data.large(whole)];
  const server = await serveBlobs([inPart.path, all.path], bench.undo);
  for (const plan of [nearest, far]) {
    const link = await Link.open(plan, server.port);
    const close = bench.undo.add(() => link.close());
    const [partial, entire] = [inPart, all].map((data, n) => {
      return { plan, link, url: `http://${link.host}${server.places[n]}`, data };
    }) as [Place, Place];
    if (plan === nearest) {
      const lower = { tree: all.tree, layer: entire.url };
      await bench.verified.sameBytes(bench, [extracted, ...bench.plugins], lower);
    }
    await readWhole(bench, entire);
    if (plan === far) {
      await readMiddle(bench, partial);
      for (const threaded of [false, true]) await readBeside(bench, partial, threaded);
      await readRandom(bench, entire);
    }
    await close();
  }
  await server.stop();
}

/** From end to end, next to a download of the same part of the blob. */
async function readWhole(bench: Bench, place: Place): Promise<void> {
  const question = { workload: 7, what: 'read a large file, cold', metric: 'time', unit: 's' } as const;
  const how = { ...question, link: place.plan.name };
  const [first, last] = [place.data.chunks[0], place.data.chunks.at(-1)];
  const range = `${first?.offset}-${(last?.end ?? 0) - 1}`;
  await bench.inTurn([...bench.plugins, productByKernel], bench.plan.few, async (machine) => {
    await cat(place.data.path);
    const curl = await timed(() => run('curl', ['-sf', '-r', range, '-o', '/dev/null', place.url]));
    bench.record(how, 'curl', curl);
    const { mount, file } = await mountLarge(machine, place);
    const pid = hostOf(mount.merged);
    const before = memoryOf(pid).resident;
    const [[nanoseconds = 0] = []] = await reader(bench, 1, [file]);
    bench.record(how, machine.contender.name, nanoseconds / 1e9);
    bench.record(
      { ...how, metric: 'memory of the host, growth', unit: 'MB' },
      machine.contender.name,
      memoryOf(pid).resident - before,
    );
    await mount.unmount();
  });
}

/** A mebibyte in the middle. */
async function readMiddle(bench: Bench, place: Place): Promise<void> {
  const question = {
    workload: 7,
    what: '1 MiB in the middle of a large file, cold',
    unit: 's',
    link: place.plan.name,
  } as const;
  await bench.inTurn([alone], bench.plan.few, async (machine) => {
    const { mount, file } = await mountLarge(machine, place);
    const { name } = machine.contender;
    const { chunks } = place.data;
    const chunk = chunks[chunks.length >> 1];
    if (chunk === undefined) throw new Error('there are no chunks');
    const [seconds = 0] = await readRanges(bench, file, PART, [chunk.at]);
    const least = (2 * place.plan.rttMs) / 1000 + (chunk.end - chunk.offset) / place.plan.rate;
    bench.record({ ...question, metric: 'time' }, name, seconds);
    bench.record({ ...question, metric: 'time beyond two round trips and the chunk' }, name, seconds - least);
    await mount.unmount();
  });
}

/** Small files, while the large one is read from its front. */
async function readBeside(bench: Bench, place: Place, threaded: boolean): Promise<void> {
  const what = `small files beside a large one, ${threaded ? 'threaded' : 'ordinary'} host`;
  const question = { workload: 7, what, link: place.plan.name } as const;
  const { rttMs } = place.plan;
  await bench.inTurn([alone], bench.plan.few, async (machine) => {
    const { mount, file } = await mountLarge(machine, place, threaded);
    const { name } = machine.contender;
    const small = Array.from({ length: SMALL_FILES }, (_, n) => join(mount.merged, smallFile(n)));
    const [cold, cached] = [small.slice(0, COLD), small.slice(COLD)];
    await reader(bench, 1, cached);
    const reading = spawn('cat', [file], { stdio: 'ignore' });
    const end = bench.undo.add(async () => {
      reading.kill();
      if (reading.exitCode === null && reading.signalCode === null) await once(reading, 'exit');
    });
    await readRanges(bench, file, 1, [place.data.chunks[2]?.at ?? 0]); // it has come so far
    const again = await reader(bench, 1, Array.from({ length: ROUNDS }, () => cached).flat());
    const first = await reader(bench, COLD, cold);
    await end();
    const times = again.slice(1).map(([ns = 0]) => ns / 1000);
    bench.record({ ...question, metric: 'cached, first byte, p99', unit: 'us' }, name, quantile(times, 0.99));
    const trips = first.slice(1).map(([ns = 0]) => ns / 1e6 / rttMs);
    bench.record(
      { ...question, metric: 'cold, 16 at once, round trips, p50', unit: 'count' },
      name,
      quantile(trips, 0.5),
    );
    bench.record(
      { ...question, metric: 'cold, 16 at once, round trips, most', unit: 'count' },
      name,
      Math.max(...trips),
    );
    await mount.unmount();
  });
}

/** Pieces of 4 KB here and there: how much more is fetched than the chunks that they lie in. */
async function readRandom(bench: Bench, place: Place): Promise<void> {
  const question = { workload: 7, what: '4 KB here and there', link: place.plan.name } as const;
  await bench.inTurn([alone], bench.plan.few, async (machine) => {
    const { mount, file } = await mountLarge(machine, place);
    const { name } = machine.contender;
    const chosen = shuffled(place.data.chunks.length, 1)
      .slice(0, RANDOM_READS)
      .flatMap((n) => place.data.chunks[n] ?? []);
    place.link.reset();
    const seconds = await readRanges(
      bench,
      file,
      RANDOM,
      chosen.map(({ at }) => at + 5 * RANDOM),
    );
    const touched = chosen.reduce((sum, { offset, end }) => sum + end - offset, 0);
    bench.record(
      { ...question, metric: 'bytes received for each byte of chunks touched', unit: 'count' },
      name,
      place.link.received / touched,
    );
    bench.record({ ...question, metric: 'time of a read, p50', unit: 's' }, name, quantile(seconds, 0.5));
    await mount.unmount();
  });
}

async function mountLarge(
  machine: Machine,
  { url, data }: Place,
  threaded = false,
): Promise<{ mount: Mount; file: string }> {
  const mount = await machine.mount({ tree: '', layer: url }, { threaded });
  await cat(data.path);
  return { mount, file: join(mount.merged, 'large') };
}

/** Has so many processes read files; returns the numbers that bench/native/reader.c prints, line by line. */
async function reader(bench: Bench, readers: number, files: readonly string[]): Promise<number[][]> {
  const output = await run(bench.native.reader, [String(readers)], {
    stdin: files.map((file) => `${file}\0`).join(''),
  });
  return String(output)
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
}

/** Seconds of each read of `size` bytes; the first one opens the file, too. */
async function readRanges(bench: Bench, file: string, size: number, offsets: readonly number[]): Promise<number[]> {
  const output = await run(bench.native.ranges, [file, String(size)], { stdin: offsets.join('\n') });
  return String(output)
    .trim()
    .split('\n')
    .map((ns) => Number(ns) / 1e9);
}
