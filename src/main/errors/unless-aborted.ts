// SPDX-License-Identifier: GPL-3.0-or-later

import { once, setMaxListeners } from 'node:events';

/** Does the work, and resolves or rejects as it does; rejects with the signal's reason once that aborts, before or while it goes on. */
export async function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  setMaxListeners(0, signal); // any number may heed it
  const ended = new AbortController();
  try {
    const aborted = once(signal, 'abort', { signal: ended.signal }).then(() => {
      throw signal.reason;
    });
    return await Promise.race([work(), aborted]);
  } finally {
    ended.abort();
  }
}
