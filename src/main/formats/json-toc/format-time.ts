// SPDX-License-Identifier: GPL-3.0-or-later

import type { Time } from '../entry.js';

const EARLIEST = Date.parse('0000-01-01T00:00:00Z') / 1000;
const LATEST = Date.parse('9999-12-31T23:59:59Z') / 1000;

/** Whether a time lies beyond what RFC 3339 can write, with its four digits for the year. */
export function isBeyondTime({ seconds }: Time): boolean {
  return seconds < EARLIEST || seconds > LATEST;
}

/** RFC 3339 in UTC, with as many digits of the second as it takes; empty for 1970. Times beyond its four-digit years are cut. */
export function formatTime(time: Time): string {
  if (time.seconds === 0 && time.nanoseconds === 0) return '';
  const seconds = Math.min(Math.max(time.seconds, EARLIEST), LATEST);
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  const fraction = String(time.nanoseconds).padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`;
}
