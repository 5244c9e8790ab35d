// SPDX-License-Identifier: GPL-3.0-or-later

/** Directories with a small file for each image, of which the newest are kept. */

import { closeSync, fstatSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CacheLayout } from '../disk/cache-layout.js';
import { makeDirectories } from '../disk/make-directories.js';
import { putFile } from '../disk/put-file.js';
import { CrfsError } from '../errors/error.js';

/** What `parse` makes of a file; undefined: there is none, or it throws a CrfsError. Of one with more than `most` bytes it is given none. Throws as the file system does. */
export function readKept<T>(path: string, most: number, parse: (bytes: Buffer) => T): T | undefined {
  try {
    return parse(readBounded(path, most));
  } catch (error) {
    if (error instanceof CrfsError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Keeps a file, in place of the one before, and of its directory so many, those that were written last. Throws as the file system does. */
export function keepFile(layout: CacheLayout, path: string, bytes: Uint8Array, most: number): void {
  for (const directory of [dirname(path), layout.tmp]) makeDirectories(directory, 0o700);
  putFile(layout, path, bytes);
  keepNewest(dirname(path), most);
}

function readBounded(path: string, most: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    return fstatSync(fd).size > most ? Buffer.alloc(0) : readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

function keepNewest(directory: string, most: number): void {
  const paths = readdirSync(directory).map((name) => join(directory, name));
  if (paths.length <= most) return;
  const oldestFirst = paths
    .map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.at - b.at);
  for (const { path } of oldestFirst.slice(0, -most)) rmSync(path, { force: true });
}
