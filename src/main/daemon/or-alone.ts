// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';
import { askToDo } from './ask.js';
import { lockDaemon } from './lock.js';

/**
 * Has the daemon do something with the cache, since it knows what mounts use; without one, `alone` does it, and none starts
 * meanwhile. Throws CRFS_UNREACHABLE, why the daemon refuses, and what `alone` throws.
 */
export async function byDaemonOrAlone<T>(path: string, withinMs: number, alone: () => Promise<T>): Promise<T> {
  const done = await askToDo<T>(path, withinMs);
  if (done !== undefined) return done;
  if (!lockDaemon()) throw new CrfsError('CRFS_UNREACHABLE', 'a daemon is just starting: try again');
  return await alone();
}
