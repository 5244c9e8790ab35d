// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSink } from '../blob/sink.js';
import { CrfsError } from '../errors/error.js';
import type { BlobWriter } from './types.js';

const ATTEMPTS = 3;

/**
 * Writes a blob by `work`, which resolves to its digest. If the destination loses what was written, as registries may, it
 * starts again from the beginning. Rejects as `work` and the destination do; nothing of the blob stays then.
 */
export async function writeBlob<T extends { readonly digest: string }>(
  begin: () => Promise<BlobWriter>,
  work: (sink: BlobSink) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const blob = await begin();
    try {
      const result = await work(blob);
      await blob.commit(result.digest);
      return result;
    } catch (error) {
      await blob.cancel();
      const isLost = error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND';
      if (!isLost || attempt === ATTEMPTS) throw error;
    }
  }
}
