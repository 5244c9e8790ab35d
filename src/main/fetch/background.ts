// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
import { unlessAborted } from '../errors/unless-aborted.js';
import type { BlobFile } from './blob-file.js';
import { BLOCK } from './blocks.js';
import type { Fetcher } from './fetcher.js';
import type { Link } from './link.js';
import type { Traffic } from './traffic.js';

/** What there is to download of one blob, and how. */
export interface BackgroundWork {
  readonly fetcher: Fetcher;
  readonly file: BlobFile;
  readonly link: Link;
  readonly traffic: Traffic;
  /** Bytes [0, prefetchEnd) are wanted at start: they come first, and do not wait for quiet. */
  readonly prefetchEnd: number;
  /** Go on with the rest of the blob. */
  readonly all: boolean;
  /** Bytes a second at the most; 0: no limit. */
  readonly rate: number;
  /** Whether the cache may take more. */
  readonly hasRoom: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Pieces under way at a time: while one waits for its first byte, the other has the link. With more, readers that come in
 * between would wait longer.
 */
const PIECES = 2;
/** Once so much of a blob was asked for by readers, all of it will be: the rest is fetched without regard to them. */
const ENOUGH_ASKED = 0.5;

/**
 * Downloads a blob behind its readers, in pieces, each as large as the link makes it natural: so a reader that comes in
 * between waits for a few of these at the most. Resolves when all is there, the signal aborts, or there is no room: to
 * false in this case. Rejects with what the source rejects with.
 */
export async function download(work: BackgroundWork): Promise<boolean> {
  const { file } = work;
  const landmark = await downloadRange(work, Math.min(work.prefetchEnd, file.size), false);
  return landmark && (!work.all || (await downloadRange(work, file.size, true)));
}

/** The bytes [0, end). Returns false if there was no room for them. */
async function downloadRange(work: BackgroundWork, end: number, quietly: boolean): Promise<boolean> {
  const { file, signal, traffic, link, rate } = work;
  const pieces = new Set<Promise<void>>();
  const most = rate > 0 ? 1 : PIECES;
  let at = 0;
  while (at < end && !signal.aborted) {
    if (file.blocks.has(Math.floor(at / BLOCK))) {
      at = (Math.floor(at / BLOCK) + 1) * BLOCK;
      continue;
    }
    if (!work.hasRoom()) break;
    const [from, to] = [at, Math.min(end, at + link.unit)];
    const coming = (): Promise<void> => traffic.inTurn(() => downloadPiece(work, from, to, quietly));
    const piece = unlessAborted(coming, signal)
      .catch((error: unknown) => {
        if (error !== signal.reason) throw error; // what is under way ends with the fetcher, unless others use that
      })
      .finally(() => pieces.delete(piece));
    pieces.add(piece);
    at = to;
    if (pieces.size >= most) await Promise.race(pieces);
  }
  await Promise.all(pieces);
  return at >= end || signal.aborted;
}

async function downloadPiece(work: BackgroundWork, at: number, end: number, quietly: boolean): Promise<void> {
  const { fetcher, file, rate, signal, traffic } = work;
  await traffic.startedUp(signal);
  if (quietly && fetcher.demanded < file.size * ENOUGH_ASKED) await traffic.quiet(signal);
  const began = performance.now();
  if (!signal.aborted) await fetcher.prefetch(at, end, 'background');
  if (rate > 0) await sleep(Math.max(0, ((end - at) / rate) * 1000 - (performance.now() - began)));
}
