// SPDX-License-Identifier: GPL-3.0-or-later

import type { Purpose } from './flown.js';
import type { Link } from './link.js';
import type { Remote } from './remote.js';

/** Bytes of a blob that are about to be asked for. */
export interface Expected {
  readonly remote: Remote;
  readonly offset: number;
  readonly end: number;
}

/** How bytes that are expected come in. */
export interface Pace {
  readonly purpose: Purpose;
  /** Of a request, in bytes. */
  readonly piece: (link: Link) => number;
  /** Requests under way, and pieces that these bring: whoever needs something else waits behind no more. */
  readonly requests: number;
  readonly pieces: number;
}

/** What a start is about to read, file by file. */
const START_UP: Pace = { purpose: 'order', piece: ({ unit }) => unit, requests: 6, pieces: 2 };
/** All of a blob, which is read as it comes. */
export const STREAM: Pace = { purpose: 'toc', piece: ({ piece }) => piece, requests: 3, pieces: 3 };

/**
 * Brings in what is expected, in its order: several pieces at a time, so that no round trip is waited for, but no more bytes
 * than keep the link busy. Resolves when all is there, `signal` aborts or `hasRoom` says no. Rejects with what a source rejects
 * with, once nothing is under way any more.
 */
export async function fetchExpected(
  expected: Iterable<Expected>,
  hasRoom: () => boolean,
  signal: AbortSignal,
  { purpose, piece, requests, pieces }: Pace = START_UP,
): Promise<void> {
  const flights = new Set<Promise<void>>();
  let underWay = 0;
  let failure: unknown;
  const fly = (remote: Remote, from: number, to: number): void => {
    underWay += to - from;
    const flight = remote.fetcher
      .prefetch(from, to, purpose)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        underWay -= to - from;
        flights.delete(flight);
      });
    flights.add(flight);
  };
  for (const { remote, from, to } of piecesOf(expected, piece)) {
    while (flights.size >= requests || (flights.size > 0 && underWay + to - from > pieces * piece(remote.link))) {
      await Promise.race(flights);
    }
    if (signal.aborted || failure !== undefined || !hasRoom()) break;
    fly(remote, from, to);
  }
  await Promise.all(flights);
  if (failure !== undefined) throw failure;
}

/** Each as large as the link makes it natural when its turn comes. */
function* piecesOf(
  expected: Iterable<Expected>,
  piece: Pace['piece'],
): Generator<{ remote: Remote; from: number; to: number }> {
  for (const { remote, offset, end } of expected) {
    let from = offset;
    while (from < end) {
      const to = Math.min(end, from + piece(remote.link));
      yield { remote, from, to };
      from = to;
    }
  }
}
