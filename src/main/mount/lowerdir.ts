// SPDX-License-Identifier: GPL-3.0-or-later

import { realpathSync, statSync } from 'node:fs';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';

/** An existing directory, by its real path. `what` says what for. Throws CRFS_NOT_FOUND. */
export function realDirectory(path: string, what: string): string {
  try {
    if (!statSync(path).isDirectory())
      throw new CrfsError('CRFS_NOT_FOUND', `${named(path, what)}: it is no directory`);
    return realpathSync(path);
  } catch (error) {
    if (error instanceof CrfsError) throw error;
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? missing(path) : reasonOf(error);
    throw new CrfsError('CRFS_NOT_FOUND', `${named(path, what)}: ${why}`, { cause: error });
  }
}

/** Node.js has arguments as text, with U+FFFD for each byte of them that is no UTF-8. */
function missing(path: string): string {
  const told = 'there is no such directory';
  return path.includes('\ufffd') ? `${told}, and one whose name is not UTF-8 is not taken` : told;
}

function named(path: string, what: string): string {
  return `${what} ${JSON.stringify(path)}`;
}

/** A directory for a list that fuse-overlayfs splits at colons. Throws CRFS_NOT_FOUND, CRFS_USAGE. */
export function listedDirectory(path: string, what: string): string {
  const real = realDirectory(path, what);
  refuseColon(real, what);
  return real;
}

/** Refuses a path that cannot be in a list which fuse-overlayfs splits at colons. Throws CRFS_USAGE. */
export function refuseColon(path: string, what: string): void {
  if (path.includes(':'))
    throw new CrfsError('CRFS_USAGE', `${named(path, what)} has a colon in it: fuse-overlayfs cannot take that`);
}

/** What stands for the layers of a configuration among lower directories. */
export function lowerLayers(configuration: string, directory: string): string {
  return `//crfs/${Buffer.from(configuration).toString('base64url')}/${directory}`;
}

/** Options in the one text that `-o` takes: commas and backslashes in values are escaped. */
export function joinOptions(options: readonly string[]): string {
  return options.map((option) => option.replace(/[\\,]/g, '\\$&')).join(',');
}
