// SPDX-License-Identifier: GPL-3.0-or-later

import { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { cacheDirectory } from '../settings/directories.js';

/** The cache of this user, to be looked into; undefined: its directory is not the user's own, so that nothing in it counts. */
export function ownCache(): CacheLayout | undefined {
  try {
    return new CacheLayout(cacheDirectory());
  } catch (error) {
    if (error instanceof CrfsError) return undefined;
    throw error;
  }
}
