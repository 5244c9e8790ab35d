// SPDX-License-Identifier: GPL-3.0-or-later

import { compareTrees, describeTree, type Tree } from '../test/tools/tree.js';
import type { Bench } from './bench.js';
import type { Contender } from './machines/contenders.js';
import type { Lower } from './machines/mount-command.js';
import { say } from './say.js';

/** What is known of contenders already: one layer is held against its tree once. */
export class Verified {
  readonly #expected = new Map<string, Tree>();
  readonly #same = new Map<string, boolean>();

  /**
   * The contenders that show the same tree as the first one: names, modes, owners, times, attributes and all bytes. Those
   * that do not are noted as failures.
   */
  async sameBytes(bench: Bench, contenders: readonly Contender[], lower: Lower): Promise<Contender[]> {
    const good: Contender[] = [];
    for (const contender of contenders) {
      const known = `${contender.name} ${contender.frontEnd ? lower.layer : lower.tree}`;
      const same = this.#same.get(known) ?? (await this.#compare(bench, contender, lower));
      this.#same.set(known, same);
      if (same) good.push(contender);
    }
    const entries = this.#expected.get(lower.tree)?.size ?? 0;
    say(`  the same ${entries} entries and bytes: ${good.map(({ name }) => name).join(', ')}`);
    return good;
  }

  async #compare(bench: Bench, contender: Contender, lower: Lower): Promise<boolean> {
    return await bench.onMachine(contender, async (machine) => {
      const { merged } = await machine.mount(lower);
      const shown = await describeTree(merged, { readers: 4 });
      const expected = this.#expected.get(lower.tree) ?? shown;
      this.#expected.set(lower.tree, expected);
      const [difference] = compareTrees(shown, expected);
      if (difference !== undefined) throw new Error(`shows another tree: ${difference}`);
    });
  }
}
