// SPDX-License-Identifier: GPL-3.0-or-later

/** Directories with a small file for each image, of which the newest are kept. */

import { closeSync, fstatSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What is in a file; of one with more than `most` bytes, nothing. Throws as the file system does. */
export function readBounded(path: string, most: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    return fstatSync(fd).size > most ? Buffer.alloc(0) : readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Removes all files but so many, those that were written last. Throws as the file system does. */
export function keepNewest(directory: string, most: number): void {
  const paths = readdirSync(directory).map((name) => join(directory, name));
  if (paths.length <= most) return;
  const oldestFirst = paths
    .map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.at - b.at);
  for (const { path } of oldestFirst.slice(0, -most)) rmSync(path, { force: true });
}
