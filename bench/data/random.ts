// SPDX-License-Identifier: GPL-3.0-or-later

/** The numbers from 0 to `count` - 1 in an order that depends on the seed alone. */
export function shuffled(count: number, seed: number): number[] {
  const numbers = Array.from({ length: count }, (_, n) => n);
  let state = (seed + 1) * 0x9e3779b9;
  for (let last = count - 1; last > 0; last--) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    const other = ((state ^ (state >>> 16)) >>> 0) % (last + 1);
    [numbers[last], numbers[other]] = [numbers[other] ?? 0, numbers[last] ?? 0];
  }
  return numbers;
}
