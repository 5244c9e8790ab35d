// SPDX-License-Identifier: GPL-3.0-or-later

import type { Remote } from './layer-blob.js';

/** Bytes of a blob that are about to be asked for. */
export interface Expected {
  readonly remote: Remote;
  readonly offset: number;
  readonly end: number;
}

/** Requests under way, and units of the link that these bring: whoever needs something else waits behind no more. */
const MOST_REQUESTS = 6;
const MOST_UNITS = 2;

/**
 * Brings in what is expected, in its order: several pieces at a time, so that no round trip is waited for, but no more bytes
 * than keep the link busy. Resolves when all is there, `signal` aborts or `hasRoom` says no. Rejects with what a source rejects
 * with, once nothing is under way any more.
 */
export async function fetchExpected(
  expected: Iterable<Expected>,
  hasRoom: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const flights = new Set<Promise<void>>();
  let underWay = 0;
  let failure: unknown;
  const fly = (remote: Remote, from: number, to: number): void => {
    underWay += to - from;
    const flight = remote.fetcher
      .prefetch(from, to, 'order')
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        underWay -= to - from;
        flights.delete(flight);
      });
    flights.add(flight);
  };
  for (const { remote, from, to } of piecesOf(expected)) {
    while (
      flights.size >= MOST_REQUESTS ||
      (flights.size > 0 && underWay + to - from > MOST_UNITS * remote.link.unit)
    ) {
      await Promise.race(flights);
    }
    if (signal.aborted || failure !== undefined || !hasRoom()) break;
    fly(remote, from, to);
  }
  await Promise.all(flights);
  if (failure !== undefined) throw failure;
}

/** Each as large as the link makes it natural when its turn comes. */
function* piecesOf(expected: Iterable<Expected>): Generator<{ remote: Remote; from: number; to: number }> {
  for (const { remote, offset, end } of expected) {
    let from = offset;
    while (from < end) {
      const to = Math.min(end, from + remote.link.unit);
      yield { remote, from, to };
      from = to;
    }
  }
}
