// SPDX-License-Identifier: GPL-3.0-or-later

import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { addon } from '../../native/addon.js';
import { cacheDirectory } from '../settings/directories.js';
import { lockDaemon, lockHolder } from './lock.js';
import { CONTROL_SOCKET, SocketDirectory } from './socket-directory.js';

const TRY_EVERY_MS = 50;
/** A daemon that starts or ends needs no longer: whoever waits is told of one that does. */
const TOLD_AFTER = 20;

/**
 * Waits for the lock while whoever holds it does not answer mounts: it is about to end, or to start. Resolves to whether
 * the lock is ours: false where another daemon answers, or nobody reads `readyFd` any more. Through that, the mount that
 * has started this process sees that it lives, and is told what it waits for.
 */
export async function waitForLock(readyFd: number): Promise<boolean> {
  const directory = new SocketDirectory();
  try {
    for (let tries = 0; !lockDaemon(); tries++) {
      if (addon.controlAnswers(directory.path(CONTROL_SOCKET)) || !tell(readyFd, tries)) return false;
      await sleep(TRY_EVERY_MS);
    }
    return true;
  } finally {
    directory.close();
  }
}

function tell(readyFd: number, tries: number): boolean {
  const told = tries === TOLD_AFTER;
  const line = told ? `another daemon, ${lockHolder()}, has the lock of ${cacheDirectory()} and does not answer` : '';
  try {
    return writeSync(readyFd, `${line}\n`) > 0;
  } catch {
    return false;
  }
}
