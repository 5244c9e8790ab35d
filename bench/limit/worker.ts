// SPDX-License-Identifier: GPL-3.0-or-later

/** One thread of the limit: inflates members until none is left. */

import { createHash } from 'node:crypto';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { addon } from '../../src/native/addon.js';
import { GO, type LimitTask, NEXT } from './limit.js';

const { blob, starts, room, digest, words: shared } = workerData as LimitTask;
const words = new Int32Array(shared);
const compressed = new Uint8Array(blob);
const output = new Uint8Array(room);

const tell = (parentPort as MessagePort).postMessage.bind(parentPort);

tell('ready');
Atomics.wait(words, GO, 0);
for (let n = Atomics.add(words, NEXT, 1); n < starts.length - 1; n = Atomics.add(words, NEXT, 1)) {
  const written = addon.inflate(compressed.subarray(starts[n], starts[n + 1]), output);
  if (written < 0) throw new Error(`member ${n} does not inflate`);
  if (digest) createHash('sha256').update(output.subarray(0, written)).digest();
}
tell('done');
