// SPDX-License-Identifier: GPL-3.0-or-later

/** What something must reach, and whether it does. */

export interface Goal {
  readonly what: string;
  readonly goal: string;
  /** Undefined: its workload did not run. */
  readonly measured: string | undefined;
  readonly met: boolean | undefined;
}

/** The unit of first starts. */
export const PULLING = 'x pull, extract and run';

/** Undefined: not measured. */
export type Value = number | undefined;

export function atMost(what: string, bound: number, unit: string, value: Value): Goal {
  const met = value === undefined ? undefined : value <= bound;
  return { what, goal: `<= ${bound} ${unit}`, measured: value === undefined ? undefined : rounded(value), met };
}

export function atLeast(what: string, bound: number, unit: string, value: Value): Goal {
  const met = value === undefined ? undefined : value >= bound;
  return { what, goal: `>= ${bound} ${unit}`, measured: value === undefined ? undefined : rounded(value), met };
}

function rounded(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(0);
}

export function ratio(value: Value, base: Value): Value {
  return value === undefined || base === undefined ? undefined : value / base;
}

export function difference(value: Value, base: Value): Value {
  return value === undefined || base === undefined ? undefined : value - base;
}

export function scaled(value: Value, by: number): Value {
  return value === undefined ? undefined : value * by;
}
