// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { addon } from '../../native/addon.js';
import { cacheDirectory, makeCacheDirectory } from '../settings/directories.js';

export const LOCK = 'daemon.lock';

/** Takes the lock that makes a daemon the only one of its cache. Returns false if another daemon has it. */
export function lockDaemon(): boolean {
  const fd = openSync(
    join(makeCacheDirectory(), LOCK),
    constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  );
  if (!addon.lock(fd)) {
    closeSync(fd);
    return false;
  }
  try {
    ftruncateSync(fd, 0);
    writeSync(fd, `process ${process.pid} on ${hostname()}\n`, 0); // the lock is held until the process ends
  } catch {
    // The disk is full: nobody will be told who holds it.
  }
  return true;
}

/** Who holds the lock, in words for a person: "process 17 on HOST". */
export function lockHolder(): string {
  const said = readFileSync(join(cacheDirectory(), LOCK), 'latin1').slice(0, 300).trim();
  return /^process \d+ on \S+$/.test(said) ? said : 'a process that is not told';
}
