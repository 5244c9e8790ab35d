// SPDX-License-Identifier: GPL-3.0-or-later

/** Tells of layers without a TOC that are read as a whole: whoever mounts waits for that. */

import { setTimeout as sleep } from 'node:timers/promises';
import { askStatus } from '../daemon/ask.js';
import type { Reading } from '../daemon/reading.js';
import type { Progress, Step } from '../output/progress.js';
import { shortenDigests } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';

/** What is over sooner is not told of. */
const SAY_AFTER_MS = 1000;
const LOOK_EVERY_MS = 200;

/** Shows each of them as a step of `progress`: what is returned takes those that are being read now. */
export function readsOn(progress: Progress): (reading: readonly Reading[]) => void {
  const shown = new Map<string, { readonly step: Step; done: number }>();
  return (reading) => {
    for (const { name, size, fetched, read } of reading) {
      const one = shown.get(name) ?? { step: progress.start(`reading all of ${shortenDigests(name)}`, size), done: 0 };
      shown.set(name, one);
      const done = Math.floor(fetched === null ? read : (fetched + read) / 2);
      one.step.advance(Math.max(0, done - one.done));
      one.done = Math.max(one.done, done);
    }
    for (const [name, { step }] of shown) {
      if (reading.some((one) => one.name === name)) continue;
      step.done();
      shown.delete(name);
    }
  };
}

/** Waits for `work`, which mounts `what` at an absolute path, says so, and shows what is read for that; takes the progress away at its end. */
export async function tellingReads<T>(
  what: string,
  mountpoint: string,
  progress: Progress,
  work: Promise<T>,
): Promise<T> {
  const over = new AbortController();
  void look(mountpoint, readsOn(progress), over.signal);
  try {
    return await tellingIfSlow(`mounting ${what}`, work, (line) => progress.note(`crfs: ${line}`));
  } finally {
    over.abort();
    progress.close();
  }
}

async function look(
  mountpoint: string,
  show: (reading: readonly Reading[]) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let ms = SAY_AFTER_MS; ; ms = LOOK_EVERY_MS) {
    await sleep(ms, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const status = await askStatus().catch(() => undefined); // that it does not answer, whoever mounts is told
    if (signal.aborted) return;
    show(status?.mounts.findLast((one) => one.mountpoint === mountpoint)?.reading ?? []);
  }
}
