// SPDX-License-Identifier: GPL-3.0-or-later

/** The benchmark: docs/performance.md tells what it measures and how to read it. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Bench } from './bench.js';
import { Data } from './data/data.js';
import { type Contender, peer } from './machines/contenders.js';
import { buildNative } from './native/build.js';
import { top } from './paths.js';
import { full, quick } from './plan.js';
import { newestLike, readEarlier } from './report/against.js';
import { report, writeMeasured } from './report/report.js';
import { say } from './say.js';
import { readSettings, settingsText } from './settings.js';
import { timed } from './time.js';
import { Undo } from './undo.js';
import { workloads } from './workloads/workloads.js';

interface Given {
  quick?: boolean;
  only: readonly number[];
  peer: readonly Contender[];
  format: 'estargz' | 'stargz';
  data: string;
  results: string;
  against?: string;
}

const program = new Command('bench')
  .description('measure crfs-plugin against the extracted tree, and against other plugins')
  .option('--quick', 'smaller layers and fewer repetitions: two minutes, once the layers are made')
  .option('--only <numbers>', 'workloads to run, as 2,3', numbers, Object.keys(workloads).map(Number))
  .option('--peer <name=plugin>', 'another plugin of fuse-overlayfs to measure; can be repeated', addPeer, [])
  .addOption(
    new Option('--format <format>', 'of the layers; older plugins read stargz alone')
      .choices(['estargz', 'stargz'])
      .default('estargz'),
  )
  .option('--data <directory>', 'where scripts/debian-layer keeps its layer', join(top, 'demo'))
  .option('--results <directory>', 'where results are written', join(top, 'bench/results'))
  .option('--against <file>', 'earlier results, as JSON: say what is slower; the newest of the same plan, unless given')
  .addHelpText(
    'after',
    '\nExamples:\n  npm run bench\n  npm run bench -- --quick --only 2,3 --peer other=/usr/lib/other.so',
  )
  .action(main);

async function main(given: Given): Promise<void> {
  if (process.geteuid?.() !== 0) throw new Error('cannot measure: mounts with owners of their own need root');
  if (!existsSync('/dev/fuse')) throw new Error('cannot measure: there is no /dev/fuse');
  const undo = new Undo();
  interruptible(undo);
  try {
    await measure(given, undo);
  } finally {
    await undo.close();
  }
}

async function measure(given: Given, undo: Undo): Promise<void> {
  const started = new Date();
  const plan = given.quick ? quick : full;
  const settings = await readSettings(started, plan, process.argv.slice(2));
  const earlier = given.against === undefined ? newestLike(settings, given.results) : readEarlier(given.against);
  say(settingsText(settings));
  const data = new Data(given.data, join(top, 'bench/work'), given.format);
  const bench = new Bench(plan, data, await buildNative(), given.peer, undo);
  for (const number of given.only) {
    const { title, run } = workloads[number as keyof typeof workloads];
    say(`\n${number}. ${title}`);
    const seconds = await timed(() => attempt(bench, title, run));
    say(`  (${seconds.toFixed(0)} s)`);
    writeMeasured(bench, settings, given.results);
  }
  await report(bench, settings, given.results, earlier);
}

/** A workload that fails is noted, and those behind it run all the same. */
async function attempt(bench: Bench, title: string, run: (bench: Bench) => Promise<void>): Promise<void> {
  try {
    await run(bench);
  } catch (error) {
    bench.failed(title, error as Error);
  }
}

/** ^C ends the benchmark, and leaves no mount, daemon or file behind. */
function interruptible(undo: Undo): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      process.stderr.write('\ninterrupted: cleaning up\n');
      void undo.close().then(() => process.exit(130));
    });
  }
}

function numbers(given: string): number[] {
  const chosen = given.split(',').map(Number);
  const known = Object.keys(workloads).map(Number);
  if (chosen.every((number) => known.includes(number))) return chosen;
  throw new InvalidArgumentError(`There are the workloads ${known.join(', ')}.`);
}

function addPeer(given: string, before: readonly Contender[]): Contender[] {
  try {
    return [...before, peer(given)];
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
