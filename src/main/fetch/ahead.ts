// SPDX-License-Identifier: GPL-3.0-or-later

/** Blocks that a reader is going on to: [next, end). */
interface Range {
  next: number;
  readonly end: number;
}

/** What readers are going on to, asked for in turns, a piece of each, from its front. */
export class AheadRanges {
  readonly #ranges = new Map<number, Range>();

  /** A reader goes on to the blocks [first, end), and no others. */
  set(reader: number, first: number, end: number): void {
    this.#ranges.set(reader, { next: first, end });
  }

  clear(): void {
    this.#ranges.clear();
  }

  /** Takes the blocks that are to be asked for next: `most`, or fewer, all of which are absent. Undefined: there are none. */
  take(most: number, isAbsent: (block: number) => boolean): { first: number; end: number } | undefined {
    for (const [reader, range] of this.#ranges) {
      this.#ranges.delete(reader);
      while (range.next < range.end && !isAbsent(range.next)) range.next++;
      const first = range.next;
      while (range.next < range.end && range.next - first < most && isAbsent(range.next)) range.next++;
      if (range.next === first) continue;
      this.#ranges.set(reader, range); // behind the others
      return { first, end: range.next };
    }
    return undefined;
  }
}
