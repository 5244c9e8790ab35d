// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** The directory at an absolute path, or the nearest one above it where that is missing: on whose disk it would be made. */
export function nearestDirectory(path: string): string {
  const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
  return isThere || path === dirname(path) ? path : nearestDirectory(dirname(path));
}
