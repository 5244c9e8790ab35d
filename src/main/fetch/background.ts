// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
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
 * Downloads a blob behind its readers, a piece after the other, each as large as the link makes it natural: so a reader
 * that comes in between waits for one piece at the most. Resolves when all is there, the signal aborts, or there is no
 * room: to false in this case. Rejects with what the source rejects with.
 */
export async function download(work: BackgroundWork): Promise<boolean> {
  const { file } = work;
  const landmark = await downloadRange(work, Math.min(work.prefetchEnd, file.size), false);
  return landmark && (!work.all || (await downloadRange(work, file.size, true)));
}

/** The bytes [0, end). Returns false if there was no room for them. */
async function downloadRange(work: BackgroundWork, end: number, quietly: boolean): Promise<boolean> {
  const { file, signal, traffic } = work;
  for (let at = 0; at < end && !signal.aborted; ) {
    if (file.blocks.has(Math.floor(at / BLOCK))) at = (Math.floor(at / BLOCK) + 1) * BLOCK;
    else if (!work.hasRoom()) return false;
    else at = await traffic.inTurn(() => downloadPiece(work, at, end, quietly));
  }
  return true;
}

/** Returns the end of the piece. */
async function downloadPiece(work: BackgroundWork, at: number, end: number, quietly: boolean): Promise<number> {
  const { fetcher, link, rate, signal, traffic } = work;
  if (quietly) await traffic.quiet(signal);
  const began = performance.now();
  const piece = Math.min(end, at + link.unit);
  if (!signal.aborted) await fetcher.prefetch(at, piece);
  if (rate > 0) await sleep(Math.max(0, ((piece - at) / rate) * 1000 - (performance.now() - began)));
  return piece;
}
