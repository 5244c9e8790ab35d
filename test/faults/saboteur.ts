// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Loaded into a daemon from outside (NODE_OPTIONS=--import): kills its workers at random points. Whatever a worker does
 * that others can see goes through the addon, Atomics or fs; before and after any of those calls it may die. SABOTAGE
 * says how (a key of `deaths`), RATE how many of a million calls are its last. A `delay` is no death: it holds workers up,
 * so that they meet in ways in which they hardly ever do.
 */

import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread, resourceLimits } from 'node:worker_threads';

type Call = (...args: unknown[]) => unknown;

/** As of the workers that serve: no other thread has this limit. */
const HEAP_MB = 128;

const LONGEST_DELAY_MS = 60;

const word = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;

const rate = Number(process.env['RATE']) / 1e6;
const how = process.env['SABOTAGE'] ?? '';

const deaths: Readonly<Record<string, () => void>> = {
  exit: () => process.exit(7),
  error: () => {
    throw new Error('sabotage');
  },
  delay: () => void wait(word, 0, 0, Math.random() * LONGEST_DELAY_MS),
  memory: () => {
    for (const hoard: unknown[] = []; ; ) hoard.push(Array.from({ length: 1_000_000 }, () => 0.5));
  },
};

function sabotage(owner: object, names: readonly string[], die: () => void, share = rate): void {
  const calls = owner as Record<string, Call>;
  for (const name of names) {
    const honest = calls[name]?.bind(owner);
    if (honest === undefined) throw new Error(`there is no ${name} to sabotage`);
    calls[name] = (...args) => {
      if (Math.random() < share) die();
      const result = honest(...args);
      if (Math.random() < share) die();
      return result;
    };
  }
}

const die = deaths[how];
if (!isMainThread && die !== undefined && resourceLimits.maxOldGenerationSizeMb === HEAP_MB) {
  const addon = createRequire(import.meta.url)('../../../build/Release/crfs_addon.node') as object;
  if (how === 'error') {
    sabotage(addon, ['take', 'complete', 'doorbellCount'], die); // an error out of any other is a fault of the file
  } else {
    sabotage(addon, ['take', 'complete', 'map', 'unmap', 'inflate', 'doorbellCount', 'doorbellRing'], die);
    sabotage(fs, ['statSync', 'openSync', 'closeSync', 'readSync', 'writeSync', 'renameSync', 'rmSync'], die);
    sabotage(Atomics, ['add', 'load', 'store', 'exchange', 'compareExchange'], die, rate / 20); // mostly under a lock
    syncBuiltinESMExports();
  }
}
