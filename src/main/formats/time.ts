// SPDX-License-Identifier: GPL-3.0-or-later

/** Times of entries: RFC 3339, section 5.6. */

export interface Time {
  /** Seconds since 1970, below zero before. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;
const DAY = 86400;

/** Days from 1970-01-01 to a date, or null if the calendar has no such date. */
function daysTo(year: number, month: number, day: number): number | null {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // unlike Date.UTC, takes the years 0 to 99 as they are
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() / (DAY * 1000) : null;
}

/** The time that the text tells, digits behind nanoseconds dropped; null if it is no RFC 3339 time. */
export function parseTime(text: string): Time | null {
  const match = RFC_3339.exec(text);
  if (match === null) {
    return null;
  }
  const field = (i: number) => Number(match[i] ?? 0);
  const days = daysTo(field(1), field(2), field(3));
  if (days === null || field(4) > 23 || field(5) > 59 || field(6) > 59 || field(9) > 23 || field(10) > 59) {
    return null;
  }
  const east = (match[8] === '-' ? -1 : 1) * (field(9) * 3600 + field(10) * 60);
  return {
    seconds: days * DAY + field(4) * 3600 + field(5) * 60 + field(6) - east,
    nanoseconds: Number((match[7] ?? '').slice(0, 9).padEnd(9, '0')),
  };
}
