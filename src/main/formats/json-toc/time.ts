// SPDX-License-Identifier: GPL-3.0-or-later

/** Times of entries: RFC 3339, section 5.6. */

import type { Time } from '../entry.js';

const HEAD = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;
const HEAD_LENGTH = 19;
const TAIL = /^(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/; // a fraction, the zone
const DAY = 86400;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
}

/** Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that start in March. */
function daysTo(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return years * 365 + Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400) + dayOfYear - 719468;
}

/** The time that the text tells, digits behind nanoseconds dropped; null if it is no RFC 3339 time. */
export function parseRfc3339(text: string): Time | null {
  if (!HEAD.test(text)) {
    return null;
  }
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10)];
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)];
  const tail = parseTail(text.slice(HEAD_LENGTH));
  if (day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 || tail === null) {
    return null;
  }
  const seconds = daysTo(year, month, day) * DAY + hour * 3600 + minute * 60 + second - tail.east;
  return { seconds, nanoseconds: tail.nanoseconds };
}

function digits(text: string, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    value = value * 10 + text.charCodeAt(i) - 0x30;
  }
  return value;
}

/** What stands behind the seconds: the fraction, and by how many seconds the zone lies east; null if neither. */
function parseTail(text: string): { nanoseconds: number; east: number } | null {
  if (text === 'Z') {
    return { nanoseconds: 0, east: 0 };
  }
  const match = TAIL.exec(text);
  if (match === null || Number(match[3] ?? 0) > 23 || Number(match[4] ?? 0) > 59) {
    return null;
  }
  const east = Number(match[3] ?? 0) * 3600 + Number(match[4] ?? 0) * 60;
  return {
    nanoseconds: Number((match[1] ?? '').slice(0, 9).padEnd(9, '0')),
    east: match[2] === '-' ? -east : east,
  };
}
