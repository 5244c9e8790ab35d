// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 2: one reader reads everything, as `tar` does: with nothing cached, again, and on a second mount. */

import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { warm } from '../page-cache.js';
import { timed } from '../time.js';

const time = { workload: 2, metric: 'time', unit: 's' } as const;

export async function read(bench: Bench): Promise<void> {
  const debian = await bench.data.debian();
  const contenders = await bench.verified.sameBytes(bench, bench.contenders, debian);
  await bench.inTurn(contenders, bench.plan.repetitions, async (machine) => {
    const { name } = machine.contender;
    await warm(machine.contender, [debian]);
    const first = await machine.mount(debian);
    bench.record({ ...time, what: 'read everything, cold' }, name, await readAll(first.merged));
    bench.record({ ...time, what: 'read everything, again' }, name, await readAll(first.merged));
    await first.unmount();
    const second = await machine.mount(debian);
    bench.record({ ...time, what: 'read everything, second mount' }, name, await readAll(second.merged));
    await second.unmount();
  });
}

/** GNU tar does not read files that it is to write to /dev/null: hence the pipe. */
async function readAll(merged: string): Promise<number> {
  return await timed(() => run('sh', ['-c', 'tar -C "$1" -cf - . | cat >/dev/null', 'sh', merged]));
}
