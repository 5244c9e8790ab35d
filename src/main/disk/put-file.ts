// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { CacheLayout } from './cache-layout.js';

/**
 * Writes a small file of the cache: whoever reads it finds all of this, or what was there before. Not flushed to the disk.
 * Throws as the file system does.
 */
export function putFile(layout: CacheLayout, path: string, content: string | Uint8Array): void {
  const draft = layout.draft(`put-${randomBytes(8).toString('hex')}`);
  try {
    writeFileSync(draft, content, { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
