// SPDX-License-Identifier: GPL-3.0-or-later

/** What workers count; in the order of the words. */
const COUNTERS = [
  'requests',
  'objects',
  'objectBytes',
  'inflatedBytes',
  'readBytes',
  'errors',
  'digestErrors',
] as const;
export type Counter = (typeof COUNTERS)[number];

/** Sums over all workers since the daemon started. */
export class Counters {
  static readonly bytes = COUNTERS.length * BigUint64Array.BYTES_PER_ELEMENT;
  readonly #values: BigUint64Array;

  /** In the `Counters.bytes` bytes from `offset` of `buffer`. */
  constructor(buffer: SharedArrayBuffer, offset: number) {
    this.#values = new BigUint64Array(buffer, offset, COUNTERS.length);
  }

  add(counter: Counter, by: number): void {
    Atomics.add(this.#values, COUNTERS.indexOf(counter), BigInt(by));
  }

  all(): Record<Counter, number> {
    const values = COUNTERS.map((name, i) => [name, Number(Atomics.load(this.#values, i))]);
    return Object.fromEntries(values) as Record<Counter, number>;
  }
}
