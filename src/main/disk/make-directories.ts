// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory, and those above it that are missing. Returns the first that it made; undefined if all were there.
 * Throws what mkdir(2) says, also ENOENT, as below /proc, for which Node.js's own recursive mkdir would try for ever.
 */
export function makeDirectories(path: string, mode = 0o777): string | undefined {
  if (isDirectory(path)) return undefined;
  const parent = dirname(path);
  const first = parent === path ? undefined : makeDirectories(parent, mode);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (!isDirectory(path)) throw error; // else somebody else has just made it
    return first;
  }
  return first ?? path;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
