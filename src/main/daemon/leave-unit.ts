// SPDX-License-Identifier: GPL-3.0-or-later

import type { Logger } from 'pino';
import { reasonOf } from '../errors/reason.js';
import { moveUp, ownCgroup } from './cgroup.js';
import { moveIntoScope } from './scope.js';

/**
 * Takes this process out of the cgroup of the mount that has started it, so that neither the end nor the limits of that
 * mount's unit are those of all mounts: into a scope of systemd, or else into a cgroup further up, or else it stays and the
 * log says why. Never rejects. Resolves to what is to be called when the daemon ends.
 */
export async function leaveUnit(log: Logger): Promise<() => void> {
  const from = ownCgroup();
  let why: string;
  try {
    const scope = await moveIntoScope();
    log.info({ from, cgroup: ownCgroup() }, `moved into ${scope}`);
    return () => undefined;
  } catch (error) {
    why = reasonOf(error);
  }
  try {
    const back = moveUp();
    log.info({ from, cgroup: ownCgroup() }, `moved into a cgroup of its own: ${why}`);
    return back;
  } catch (error) {
    log.info({ cgroup: from }, `stays in the cgroup of its first mount: ${why}; ${reasonOf(error)}`);
    return () => undefined;
  }
}
