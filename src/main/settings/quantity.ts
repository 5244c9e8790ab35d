// SPDX-License-Identifier: GPL-3.0-or-later

export const BYTE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A whole number from 0, or a text of one with one of the `units` behind it, in upper or lower case; undefined: neither. */
export function quantity(given: unknown, units: Readonly<Record<string, number>> = { '': 1 }): number | undefined {
  const match = /^(\d{1,15})([a-z]?)$/i.exec(
    typeof given === 'number' ? String(given) : typeof given === 'string' ? given : '',
  );
  const unit = units[match?.[2]?.toLowerCase() ?? '?'];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}
