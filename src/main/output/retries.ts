// SPDX-License-Identifier: GPL-3.0-or-later

import type { RetryNotice } from '../http/retry.js';
import { escapeLine } from './terminal.js';

const SAY_AFTER_MS = 1000;

/** A listener for retries that says in one line what is tried again, once for each thing, if that has taken longer than a second. */
export function tellingRetries(say: (line: string) => void): (notice: RetryNotice) => void {
  const said = new Set<string>();
  return ({ what, reason, elapsedMs, nextInMs }) => {
    if (elapsedMs + nextInMs < SAY_AFTER_MS || said.has(what)) return;
    said.add(what);
    say(escapeLine(`${what}: ${reason}; trying again`));
  };
}
