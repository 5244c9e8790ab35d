// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { addon } from '../../native/addon.js';
import { CrfsError } from '../errors/error.js';
import { cacheDirectory, runtimeDirectory } from '../settings/directories.js';

/** Takes the locks that make a daemon the only one. Returns false if another daemon has the first of them. */
export function lockDaemon(): boolean {
  if (!lock(join(runtimeDirectory(), 'daemon.lock'))) return false;
  const cache = cacheDirectory();
  if (lock(join(cache, 'daemon.lock'))) return true;
  const hint = 'is XDG_RUNTIME_DIR set for some of your processes only?';
  throw new CrfsError(
    'CRFS_USAGE',
    `the cache ${cache} is in use by another daemon of yours, with other sockets: ${hint}`,
  );
}

/** The lock is held until the process ends. */
function lock(path: string): boolean {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  const mine = addon.lock(fd);
  if (!mine) closeSync(fd);
  return mine;
}
