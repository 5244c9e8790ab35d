// SPDX-License-Identifier: GPL-3.0-or-later

/** Content-Range of a single range (RFC 9110 section 14.4). */

export interface ContentRange {
  /** First and last byte; undefined in an answer to a range that cannot be had. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  /** Bytes of the whole; undefined where the server does not know. */
  readonly total: number | undefined;
}

/** Undefined if the header is missing, malformed or contradicts itself. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (?:(\d{1,16})-(\d{1,16})|\*)\/(?:(\d{1,16})|\*)$/.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [first, last, total] = match.slice(1, 4).map((digits) => (digits === undefined ? undefined : Number(digits)));
  if (first !== undefined && last !== undefined && (last < first || (total !== undefined && last >= total)))
    return undefined;
  if (first === undefined && total === undefined) return undefined;
  if ([first, last, total].some((number) => number !== undefined && !Number.isSafeInteger(number))) return undefined;
  return { first, last, total };
}
