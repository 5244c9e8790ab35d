// SPDX-License-Identifier: GPL-3.0-or-later

import type { StartRecord, StartWait } from './record.js';

/** What the time until the last read went to, in ms: their sum is `end`. */
export interface CriticalPath {
  /** When the last read was answered. */
  readonly end: number;
  /** Until the layers could be read: finding the image, and opening them. */
  readonly opening: number;
  readonly network: number;
  readonly inflate: number;
  /** Nothing was waited for: programs ran, and read what was here. */
  readonly programs: number;
  /** In the order in which they were waited for. */
  readonly waits: readonly StartWait[];
}

/** Times are known to the microsecond: what ends where the next begins may seem to end behind it. */
const CLOSE = 0.01;

/** The chain of waits back from the end: before each, the one that ended last before it began. */
export function criticalPath({ ready, reads, waits }: Pick<StartRecord, 'ready' | 'reads' | 'waits'>): CriticalPath {
  const end = [...reads.map(({ at }) => at), ...waits.map(endOf)].reduce((last, at) => Math.max(last, at), ready);
  const chain: StartWait[] = [];
  let until = Number.POSITIVE_INFINITY;
  for (const wait of waits.toSorted((a, b) => endOf(b) - endOf(a))) {
    if (endOf(wait) > until + CLOSE) continue;
    chain.unshift(wait);
    until = wait.at;
  }
  const network = chain.reduce((sum, { ms, networkMs }) => sum + Math.min(ms, networkMs), 0);
  const waited = chain.reduce((sum, { ms }) => sum + ms, 0);
  const opening = Math.min(ready, chain[0]?.at ?? ready);
  return {
    end,
    opening,
    network,
    inflate: waited - network,
    programs: Math.max(0, end - opening - waited),
    waits: chain,
  };
}

function endOf({ at, ms }: StartWait): number {
  return at + ms;
}
