// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Loaded into a daemon from outside (NODE_OPTIONS=--import): holds its workers up before they inflate anything, as long as
 * the file INFLATE_GATE is there. Each notes its arrival by a byte in INFLATE_GATE.arrivals.
 */

import { appendFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

interface Inflates {
  inflate(input: Uint8Array, output: Uint8Array): number;
  inflateFile(fd: number, offset: number, length: number, output: Uint8Array): number;
}

const gate = process.env['INFLATE_GATE'] ?? '';
const POLL_MS = 5;

if (!isMainThread && gate !== '') {
  const addon = createRequire(import.meta.url)('../../../build/Release/crfs_addon.node') as Inflates;
  const inflate = addon.inflate.bind(addon);
  const inflateFile = addon.inflateFile.bind(addon);
  const word = new Int32Array(new SharedArrayBuffer(4));
  const pass = (): void => {
    if (existsSync(gate)) appendFileSync(`${gate}.arrivals`, '.');
    while (existsSync(gate)) Atomics.wait(word, 0, 0, POLL_MS);
  };
  addon.inflate = (...given) => {
    pass();
    return inflate(...given);
  };
  addon.inflateFile = (...given) => {
    pass();
    return inflateFile(...given);
  };
}
