// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 6: what the daemon costs when nothing is asked of it, and whether it grows with what was asked before. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import { product } from '../machines/contenders.js';
import { cpuSecondsOf, memoryOf } from '../machines/processes.js';
import { COMPARED_READERS } from '../plan.js';
import { readCold } from './parallel.js';

const SETTLE_MS = 1000;
const question = { workload: 6, what: 'daemon' } as const;

export async function idle(bench: Bench): Promise<void> {
  const small = await bench.data.parallel('small');
  const large = await bench.data.parallel('large');
  await bench.onMachine(product, async (machine) => {
    const keep = await machine.mount(small.one); // one mount that stays: the daemon has something to watch
    const { pid } = await machine.status();
    bench.record({ ...question, metric: 'memory at start', unit: 'MB' }, product.name, memoryOf(pid).resident);
    const after: number[] = [];
    for (let round = 0; round < bench.plan.rounds; round++) {
      await readCold(bench, machine, [...small.eight, ...large.eight], COMPARED_READERS);
      bench.discard.empty(machine.objects);
      await sleep(SETTLE_MS);
      after.push(memoryOf(pid).resident);
      bench.record(
        { ...question, metric: 'memory after a round of reading', unit: 'MB' },
        product.name,
        after.at(-1) ?? 0,
      );
    }
    const used = cpuSecondsOf(pid);
    await sleep(bench.plan.idleSeconds * 1000);
    const share = ((cpuSecondsOf(pid) - used) / bench.plan.idleSeconds) * 100;
    bench.record({ ...question, metric: 'CPU when idle', unit: '%' }, product.name, share);
    const memory = memoryOf(pid);
    bench.record({ ...question, metric: 'memory when idle', unit: 'MB' }, product.name, memory.resident);
    bench.record({ ...question, metric: 'memory of its own when idle', unit: 'MB' }, product.name, memory.anonymous);
    const growth = slope(after.slice(Math.floor(after.length / 2)));
    bench.record({ ...question, metric: 'growth', unit: 'MB/repetition' }, product.name, growth);
    await keep.unmount();
  });
}

/** Of the line through equidistant values: what one adds to the one before it. */
function slope(values: readonly number[]): number {
  const centre = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const above = values.reduce((sum, value, n) => sum + (n - centre) * (value - mean), 0);
  const below = values.reduce((sum, _value, n) => sum + (n - centre) ** 2, 0);
  return below === 0 ? 0 : above / below;
}
