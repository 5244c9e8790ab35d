// SPDX-License-Identifier: GPL-3.0-or-later

/** A blob that lies in a file, and is read by one thread while another brings it in. */

import type { MessagePort } from 'node:worker_threads';
import { CrfsError } from '../errors/error.js';
import { readInto } from './read-into.js';
import type { BlobSource } from './source.js';

/** The bytes [offset, end) are to be brought in. */
interface Ask {
  readonly number: number;
  readonly offset: number;
  readonly end: number;
}

interface Answer {
  readonly number: number;
  readonly isThere: boolean;
}

/** In the thread that reads: `stored` has the bytes once they were asked for by `port`. Reads of what cannot be had reject with CRFS_UNREACHABLE: the other side knows why. */
export function askedSource(stored: BlobSource, port: MessagePort): BlobSource {
  const waiting = new Map<number, (isThere: boolean) => void>();
  let asked = 0;
  port.on('message', ({ number, isThere }: Answer) => {
    waiting.get(number)?.(isThere);
    waiting.delete(number);
  });
  const ask = (offset: number, end: number): Promise<boolean> =>
    new Promise((resolve) => {
      const number = asked++;
      waiting.set(number, resolve);
      port.postMessage({ number, offset, end } satisfies Ask);
    });
  const had = async (offset: number, length: number): Promise<void> => {
    if (await ask(offset, offset + length)) return;
    throw new CrfsError('CRFS_UNREACHABLE', `${stored.name}: ${length} bytes at ${offset} cannot be had`);
  };
  return {
    name: stored.name,
    size: stored.size,
    read: async (offset, length) => {
      await had(offset, length);
      return await stored.read(offset, length);
    },
    readInto: async (offset, room) => {
      await had(offset, room.length);
      await readInto(stored, offset, room);
    },
    close: async () => port.close(),
  };
}

/** In the other thread: answers what is asked by `port`, until that is closed. `bring` rejects where the bytes cannot be had. */
export function answerAsks(port: MessagePort, bring: (offset: number, end: number) => Promise<void>): void {
  port.on('message', async ({ number, offset, end }: Ask) => {
    const isThere = await bring(offset, end).then(
      () => true,
      () => false,
    );
    port.postMessage({ number, isThere } satisfies Answer);
  });
}
