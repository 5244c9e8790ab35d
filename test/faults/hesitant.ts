// SPDX-License-Identifier: GPL-3.0-or-later

/** Loaded into a daemon from outside (NODE_OPTIONS=--import): its workers hesitate before they take a request. */

import { createRequire } from 'node:module';
import { isMainThread, resourceLimits } from 'node:worker_threads';

const HESITATION_MS = 30;
/** As of the workers that serve: no other thread has this limit. */
const HEAP_MB = 128;

interface Takes {
  take(out: Uint32Array, demandOnly: boolean): boolean;
}

if (!isMainThread && resourceLimits.maxOldGenerationSizeMb === HEAP_MB) {
  const addon = createRequire(import.meta.url)('../../../build/Release/crfs_addon.node') as Takes;
  const take = addon.take.bind(addon);
  const word = new Int32Array(new SharedArrayBuffer(4));
  addon.take = (out, demandOnly) => {
    Atomics.wait(word, 0, 0, HESITATION_MS);
    return take(out, demandOnly);
  };
}
