// SPDX-License-Identifier: GPL-3.0-or-later

/** A whole blob from a server that knows no ranges. */

import { CrfsError } from '../errors/error.js';
import { Retry, type RetryPolicy, TransientError } from './retry.js';
import type { HttpResponse } from './transport.js';

export interface Download {
  /** For messages. */
  readonly name: string;
  readonly policy: RetryPolicy;
  /** Bytes, where they are known. */
  readonly size: number | undefined;
}

/**
 * Yields all bytes, beginning with the answer `first`. Where a transfer breaks off, `again` makes it from the beginning, and what
 * was had is left out. Fails as `again` does, and with CRFS_NOT_FOUND if the blob is larger than it should be.
 */
export async function* download(
  first: HttpResponse,
  again: () => Promise<HttpResponse>,
  { name, policy, size }: Download,
): AsyncGenerator<Uint8Array, void, undefined> {
  const retry = new Retry(policy);
  let response: HttpResponse | undefined = first;
  for (let had = 0; ; ) {
    try {
      response ??= await again();
      let at = 0;
      for await (const chunk of response.chunks()) {
        const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, had - at)));
        at += chunk.length;
        if (at > (size ?? at))
          throw new CrfsError('CRFS_NOT_FOUND', `${name} was replaced: it is longer than ${size} bytes`);
        had = Math.max(had, at);
        if (fresh.length > 0) yield fresh;
      }
      if (size === undefined ? at === had : had === size) return;
      throw new TransientError(name, `the answer ended early, after ${at} bytes`);
    } catch (error) {
      // The first answer belongs to a reader, who may have aborted it: others still want the rest.
      const passing = error instanceof CrfsError ? error : new TransientError(name, 'interrupted', { cause: error });
      await retry.failed(passing);
      response = undefined;
    }
  }
}
