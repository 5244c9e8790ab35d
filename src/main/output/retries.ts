// SPDX-License-Identifier: GPL-3.0-or-later

import type { RetryNotice } from '../http/retry.js';
import { escapeLine } from './terminal.js';

const SAY_AFTER_MS = 1000;

/** Says in one line what is tried again, once for each thing, where a person waits for longer than a second. */
export function sayingRetries(say: (line: string) => void): (notice: RetryNotice) => void {
  const said = new Set<string>();
  return ({ what, reason, elapsedMs, nextInMs }) => {
    if (elapsedMs + nextInMs < SAY_AFTER_MS || said.has(what)) return;
    said.add(what);
    say(escapeLine(`${what}: ${reason}; trying again`));
  };
}
