// SPDX-License-Identifier: GPL-3.0-or-later

import { realpathSync, statSync } from 'node:fs';
import { CrfsError } from '../errors/error.js';

/** An existing directory, by its real path. `what` says what for. Throws CRFS_NOT_FOUND. */
export function realDirectory(path: string, what: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CrfsError('CRFS_NOT_FOUND', `${what} ${JSON.stringify(path)}: there is no such directory`);
  }
  return realpathSync(path);
}

/** A directory for a list that fuse-overlayfs splits at colons, and cannot have one in. Throws CRFS_USAGE. */
export function listedDirectory(path: string, what: string): string {
  const real = realDirectory(path, what);
  if (!real.includes(':')) return real;
  throw new CrfsError(
    'CRFS_USAGE',
    `${what} ${JSON.stringify(real)} has a colon in it: fuse-overlayfs cannot take that`,
  );
}

/** What stands for the layers of a configuration among lower directories. */
export function lowerLayers(configuration: string, directory: string): string {
  return `//crfs/${Buffer.from(configuration).toString('base64url')}/${directory}`;
}

/** Options in the one text that `-o` takes: commas and backslashes in values are escaped. */
export function joinOptions(options: readonly string[]): string {
  return options.map((option) => option.replace(/[\\,]/g, '\\$&')).join(',');
}
