// SPDX-License-Identifier: GPL-3.0-or-later

import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { CrfsError } from '../errors/error.js';
import { HOST } from './host.js';
import { mountedAt } from './mountinfo.js';

/** Takes a mount away; returns its absolute path. Throws CRFS_NOT_FOUND if none is there, CRFS_INTERNAL if it stays. */
export async function unmountLayers(merged: string): Promise<string> {
  const mountpoint = realpath(merged);
  const type = mountedAt(mountpoint);
  if (type !== `fuse.${HOST}`) {
    const what = type === undefined ? 'nothing is mounted there' : `what is mounted there is ${type}`;
    throw new CrfsError('CRFS_NOT_FOUND', `${JSON.stringify(mountpoint)} is no mount of ${HOST}: ${what}`);
  }
  const [program, ...args] = process.geteuid?.() === 0 ? ['umount'] : ['fusermount3', '-u'];
  await promisify(execFile)(program, [...args, mountpoint]).catch((error: Error & { stderr?: string }) => {
    throw new CrfsError('CRFS_INTERNAL', error.stderr?.trim() || error.message, { cause: error });
  });
  return mountpoint;
}

/** Also where whatever is mounted there is dead, and cannot be looked at. */
function realpath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
