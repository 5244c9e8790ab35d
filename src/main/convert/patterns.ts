// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';

/** Paths and globs, the lines of a file: blank ones, and comments after #, say nothing. Throws CRFS_NOT_FOUND, CRFS_USAGE. */
export function readPatterns(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CrfsError('CRFS_NOT_FOUND', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const patterns = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const leaving = patterns.find((line) => line.includes('\0') || line.split('/').includes('..'));
  if (leaving !== undefined) throw new CrfsError('CRFS_USAGE', `${path}: ${JSON.stringify(leaving)} leaves the layer`);
  return patterns;
}
