// SPDX-License-Identifier: GPL-3.0-or-later

import { compareTrees, describeTree, type Tree } from '../test/tools/tree.js';
import type { Bench } from './bench.js';
import type { Contender } from './machines/contenders.js';
import type { Lower } from './machines/machine.js';

/**
 * The contenders that show the same tree as the first one: names, modes, owners, times, attributes and all bytes. Those
 * that do not are noted as failures.
 */
export async function sameBytes(bench: Bench, contenders: readonly Contender[], lower: Lower): Promise<Contender[]> {
  let expected: Tree | undefined;
  const good: Contender[] = [];
  for (const contender of contenders) {
    const same = await bench.onMachine(contender, async (machine) => {
      const { merged } = await machine.mount(lower);
      const shown = await describeTree(merged, { readers: 4 });
      expected ??= shown;
      const [difference] = compareTrees(shown, expected);
      if (difference !== undefined) throw new Error(`shows another tree: ${difference}`);
    });
    if (same) good.push(contender);
  }
  bench.say(`  the same ${expected?.size ?? 0} entries and bytes: ${good.map(({ name }) => name).join(', ')}`);
  return good;
}
