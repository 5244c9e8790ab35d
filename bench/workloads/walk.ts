// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 1: `find -ls` over a root file system, and over a layer of very many entries. */

import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { extracted } from '../machines/contenders.js';
import type { Machine } from '../machines/machine.js';
import { hostOf, memoryOf } from '../machines/processes.js';
import { warm } from '../page-cache.js';
import { timed } from '../time.js';

const time = { workload: 1, metric: 'time', unit: 's' } as const;

export async function walk(bench: Bench): Promise<void> {
  await walkDebian(bench);
  await walkSynthetic(bench);
}

async function walkDebian(bench: Bench): Promise<void> {
  const debian = await bench.data.debian();
  const contenders = await bench.verified.sameBytes(bench, bench.contenders, debian);
  await bench.inTurn(contenders, bench.plan.repetitions, async (machine) => {
    const { name } = machine.contender;
    await warm(machine.contender, [debian]);
    const { merged, unmount } = await machine.mount(debian);
    bench.record({ ...time, what: 'walk, first' }, name, await list(merged));
    bench.record({ ...time, what: 'walk, again' }, name, await list(merged));
    await unmount();
  });
}

async function walkSynthetic(bench: Bench): Promise<void> {
  const { entries, few } = bench.plan;
  const synthetic = await bench.data.synthetic(entries);
  const debian = await bench.data.debian();
  const many = `${entries.toLocaleString('en')} entries`;
  await bench.inTurn([extracted, ...bench.plugins], few, async (machine) => {
    const { name, frontEnd } = machine.contender;
    const lower = frontEnd ? synthetic : debian;
    const what = frontEnd ? many : 'any tree';
    await warm(machine.contender, [lower]);
    const first = await machine.mount(lower);
    bench.record({ ...time, what: `mount of ${what}, first` }, name, first.seconds);
    if (frontEnd) {
      bench.record({ ...time, what: `walk of ${many}, first` }, name, await list(first.merged));
      bench.record({ ...time, what: `walk of ${many}, again` }, name, await list(first.merged));
      await recordMemory(bench, machine, first.merged, many);
    }
    await first.unmount();
    const second = await machine.mount(lower);
    bench.record({ ...time, what: `mount of ${what}, second` }, name, second.seconds);
    await second.unmount();
  });
}

async function recordMemory(bench: Bench, machine: Machine, merged: string, many: string): Promise<void> {
  const { name, ours } = machine.contender;
  const memory = { workload: 1, unit: 'MB', metric: 'memory' } as const;
  const host = memoryOf(hostOf(merged));
  bench.record({ ...memory, what: `fuse-overlayfs after a walk of ${many}` }, name, host.resident);
  bench.record(
    { ...memory, what: `fuse-overlayfs after a walk of ${many}`, metric: 'memory of its own' },
    name,
    host.anonymous,
  );
  if (!ours) return;
  const { pid } = await machine.status();
  bench.record({ ...memory, what: `daemon after a walk of ${many}` }, name, memoryOf(pid).resident);
}

async function list(merged: string): Promise<number> {
  return await timed(() => run('sh', ['-c', 'find "$1" -ls >/dev/null', 'sh', merged]));
}
