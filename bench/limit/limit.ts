// SPDX-License-Identifier: GPL-3.0-or-later

/** The limit: how fast libdeflate inflates all members of a layer, on all cores, from memory to memory. */

import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { readLayer } from '../../test/tools/read-layer.js';
import { timed } from '../time.js';

/** What a thread is given. */
export interface LimitTask {
  readonly blob: SharedArrayBuffer;
  /** Where members start, and where the last one ends. */
  readonly starts: readonly number[];
  /** Bytes that the largest member may inflate to. */
  readonly room: number;
  /** Compute the sha256 of what comes out, too. */
  readonly digest: boolean;
  /** Two words: whether threads may start, and how many members are taken. */
  readonly words: SharedArrayBuffer;
}

/** The words: 1 when threads may start; the member to be taken next. */
export const GO = 0;
export const NEXT = 1;

/** Returns the bytes of file contents that come out in a second. `digest`: their sha256 is computed, too. */
export async function inflateLimit(path: string, digest: boolean): Promise<number> {
  const { blob, entries, tocOffset } = readLayer(path);
  const shared = new SharedArrayBuffer(blob.length);
  new Uint8Array(shared).set(blob);
  const offsets = new Set<number>([0, tocOffset]);
  let content = 0;
  let room = 0;
  for (const { type, offset, size, chunkSize } of entries) {
    if (type === 'reg') content += size ?? 0;
    if (offset !== undefined) offsets.add(offset);
    room = Math.max(room, chunkSize ?? size ?? 0);
  }
  const starts = [...offsets].sort((a, b) => a - b);
  const words = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const task: LimitTask = { blob: shared, starts, room: room + (2 << 20), digest, words };
  const program = new URL('worker.js', import.meta.url);
  const workers = Array.from({ length: availableParallelism() }, () => new Worker(program, { workerData: task }));
  const seconds = await race(new Int32Array(words), workers);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return content / seconds;
}

/** Starts all threads at once. Resolves to the seconds until the last of them is done. */
async function race(words: Int32Array, workers: readonly Worker[]): Promise<number> {
  const next = (): Promise<unknown> => Promise.all(workers.map((worker) => once(worker, 'message')));
  await next(); // all are ready
  const done = next();
  return await timed(async () => {
    Atomics.store(words, GO, 1);
    Atomics.notify(words, GO);
    await done;
  });
}
