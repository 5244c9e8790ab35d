// SPDX-License-Identifier: GPL-3.0-or-later

/** From when to when something waited, in milliseconds of one clock. */
export interface Spell {
  readonly from: number;
  readonly to: number;
}

const MOST_FILES = 4096;
const MOST_SPELLS = 64; // of a file

/** When reads waited for the network: for a trace, which tells of each read how much of its own time that was. */
export class NetworkTimes {
  /** By file: one after the other, with time between them. */
  readonly #spells = new Map<string, Spell[]>();

  /** Notes that a read of this file waited for the network. These come in the order in which they end. */
  note(file: string, { from, to }: Spell): void {
    if (this.#spells.size >= MOST_FILES) this.#spells.clear();
    const spells = this.#spells.get(file) ?? [];
    let start = from;
    for (let last = spells.at(-1); last !== undefined && last.to >= start; last = spells.at(-1)) {
      start = Math.min(start, last.from);
      spells.pop();
    }
    spells.push({ from: start, to });
    if (spells.length > MOST_SPELLS) spells.shift();
    this.#spells.set(file, spells);
  }

  /** Milliseconds within a spell in which reads of this file waited for the network. */
  within(file: string, { from, to }: Spell): number {
    const spells = this.#spells.get(file) ?? [];
    return spells.reduce((sum, spell) => sum + Math.max(0, Math.min(to, spell.to) - Math.max(from, spell.from)), 0);
  }
}
