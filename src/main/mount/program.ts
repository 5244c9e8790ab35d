// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { home } from '../../native/home.js';
import { CrfsError } from '../errors/error.js';

/** The first of these places, relative to the package, at which there is a file. Throws CRFS_NOT_FOUND. */
export function findProgram(...places: string[]): string {
  const paths = places.map((place) => fileURLToPath(new URL(place, home)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new CrfsError('CRFS_NOT_FOUND', `there is neither ${paths.join(' nor ')}: run make`);
  return found;
}
