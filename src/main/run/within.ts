// SPDX-License-Identifier: GPL-3.0-or-later

/** Paths in the tree of an image, whose symlinks are followed as they are inside of it: none leads out of it. */

import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { look } from '../daemon/processes.js';
import { CrfsError } from '../errors/error.js';
import { makeReadable } from './readable.js';

const SYMLINKS_LIMIT = 40;
/** Of a file that is read as a whole. */
const SIZE_LIMIT = 4 << 20;

/**
 * Where a path of the image is here, with all symlinks followed; `make`: its directories are made where they are missing. Nobody
 * may change the tree meanwhile. Throws CRFS_BAD_LAYER for symlinks without end, and as the file system does.
 */
function within(root: string, path: string, make = false): string {
  const rest = path.split('/').toReversed();
  const at: string[] = [];
  for (let links = 0, name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '..') at.pop();
    if (name === '' || name === '.' || name === '..') continue;
    const place = join(root, ...at, name);
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) {
      if (++links > SYMLINKS_LIMIT)
        throw new CrfsError('CRFS_BAD_LAYER', `${path}: more than ${SYMLINKS_LIMIT} symlinks`);
      const target = readlinkSync(place);
      if (target.startsWith('/')) at.length = 0;
      rest.push(...target.split('/').toReversed());
      continue;
    }
    if (make && found === undefined) makeReadable(place);
    at.push(name);
  }
  return join(root, ...at);
}

/** Makes a directory of the image, and those above it, where they are missing. */
export function makeWithin(root: string, path: string): void {
  within(root, path, true);
}

/** The text of a file of the image; '' if there is none that can be read, or it is too large. */
export function readWithin(root: string, path: string): string {
  const place = look(() => within(root, path));
  const found = place === undefined ? undefined : look(() => lstatSync(place));
  if (place === undefined || !found?.isFile() || found.size > SIZE_LIMIT) return '';
  return look(() => readFileSync(place, 'utf8')) ?? '';
}
