// SPDX-License-Identifier: GPL-3.0-or-later

import type { Question } from './samples.js';

/** A number for people: three significant digits. */
export function numberText(value: number): string {
  if (value === 0 || Math.abs(value) >= 1000) return value.toFixed(0);
  return value.toPrecision(3);
}

/** A value for people, who know its unit: counts as they are, and times of 10 ms or more in ms, which is told. */
export function valueText(value: number, unit: string): string {
  if (unit === 'count' && Number.isInteger(value)) return String(value);
  return unit === 'us' && value >= 10_000 ? `${numberText(value / 1000)} ms` : numberText(value);
}

/** How many times another value: two digits behind the point where they tell something. */
export function ratioText(value: number, base: number): string {
  const times = value / base;
  return `${times.toFixed(times >= 10 ? 0 : 2)}x`;
}

/** How something was done: `small files, 8 layers, 1 reader`. */
export function howText({ readers, files, layers, link }: Question): string {
  const how = [files && `${files} files`, layers && count(layers, 'layer'), readers && count(readers, 'reader'), link];
  return how.filter(Boolean).join(', ');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
