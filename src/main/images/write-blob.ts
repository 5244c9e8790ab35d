// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSink } from '../blob/sink.js';
import { CrfsError } from '../errors/error.js';
import type { BlobWriter } from './ends.js';

const ATTEMPTS = 3;

/**
 * Writes a blob by `work`, which tells its digest. Does it again from the beginning if the destination loses what was
 * written: registries may. Rejects as `work` and the destination do, and the blob never was.
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
