// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';

/**
 * What an image's name stood for when its registry last answered, if `error` says that it does not answer now: the
 * configuration that leads to that very image. Throws as the file system does.
 */
export function lastSeen(layout: CacheLayout, configuration: string, error: unknown): string | undefined {
  if (!(error instanceof CrfsError) || error.code !== 'CRFS_UNREACHABLE') return undefined;
  const known = String(readKept(layout, configuration) ?? '');
  return known.startsWith('docker://') && known !== configuration ? known : undefined;
}

/** What is kept by the name of an image, or by the digest of a manifest or config, which whoever reads it checks. */
export function readKept(layout: CacheLayout, name: string): Buffer | undefined {
  try {
    return readFileSync(layout.manifest(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What is told then: `message` says why the registry does not answer. */
export function takenAsSeenLast(message: string, resolved: string): string {
  return `${message}: taken as it was seen last, ${resolved}`;
}
