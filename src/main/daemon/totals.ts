// SPDX-License-Identifier: GPL-3.0-or-later

import type { Opens } from '../../native/addon.js';

export const NO_OPENS: Opens = { depth: 0, hits: 0, hitBytes: 0, misses: 0, errors: 0, waitedNs: 0, lazyOpens: 0 };

/** The counters of two rings together. */
export function addOpens(a: Opens, b: Opens): Opens {
  return {
    depth: a.depth + b.depth,
    hits: a.hits + b.hits,
    hitBytes: a.hitBytes + b.hitBytes,
    misses: a.misses + b.misses,
    errors: a.errors + b.errors,
    waitedNs: a.waitedNs + b.waitedNs,
    lazyOpens: a.lazyOpens + b.lazyOpens,
  };
}
