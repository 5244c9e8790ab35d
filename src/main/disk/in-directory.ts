// SPDX-License-Identifier: GPL-3.0-or-later

import { constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Creates a file, in place of what somebody has left who died over it, and its directory if it is missing. Returns its descriptor. */
export function createAnew(path: string, mode: number): number {
  return inDirectory(path, () => {
    try {
      return openSync(path, CREATE, mode);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    rmSync(path);
    return openSync(path, CREATE, mode);
  });
}

/** Does what needs the directory of a path, which is made if it is not there. */
export function inDirectory<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  try {
    mkdirSync(dirname(path), { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // somebody else was faster
  }
  return act();
}
