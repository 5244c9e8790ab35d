// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { addon } from '../../native/addon.js';
import { CrfsError } from '../errors/error.js';
import { cacheDirectory } from '../settings/directories.js';
import { version } from '../version.js';
import { askDaemon, askStatus } from './ask.js';
import { lockDaemon } from './lock.js';
import type { Status } from './status.js';

const TRY_EVERY_MS = 20;
const WITHIN_MS = 60_000;
const TOLD_AFTER_MS = 1000;

/** What keeps mounts from starting a daemon of their own meanwhile. */
export interface Hold {
  /** To be called when this process serves. */
  release(): void;
}

/**
 * Has the daemon that runs end, if it is older than this one: mounts go on with this one. Resolves when its locks are
 * ours. Throws CRFS_BUSY where it is not older, or mounts speak another version of the protocol: it goes on then; and
 * CRFS_UNREACHABLE where it has not ended in time: the next daemon is then the one that a mount starts. The log is told what
 * this waits for, if it takes more than a second.
 */
export async function takeOver(log: Logger): Promise<Hold> {
  const hold = await holdMounts();
  let telling: NodeJS.Timeout | undefined;
  try {
    const running = await askStatus();
    if (running !== undefined) {
      checkOlder(running);
      const { pid, version: older } = running;
      const what = 'waits for the older daemon to end, which first has the cache on the disk';
      telling = setTimeout(() => log.info({ older: pid, version: older }, what), TOLD_AFTER_MS);
      await askDaemon('POST', '/stop');
    }
    for (const end = Date.now() + WITHIN_MS; !lockDaemon(); await sleep(TRY_EVERY_MS)) {
      if (Date.now() < end) continue;
      throw new CrfsError(
        'CRFS_UNREACHABLE',
        `the daemon that runs has not ended within ${WITHIN_MS / 1000} s: try again`,
      );
    }
    return hold;
  } catch (error) {
    hold.release();
    throw error;
  } finally {
    clearTimeout(telling);
  }
}

/** Takes the lock that a mount holds while it starts a daemon: csrc/client/connection.c. */
async function holdMounts(): Promise<Hold> {
  const directory = openSync(cacheDirectory(), constants.O_RDONLY | constants.O_DIRECTORY);
  for (const end = Date.now() + WITHIN_MS; !addon.lock(directory); await sleep(TRY_EVERY_MS)) {
    if (Date.now() < end) continue;
    closeSync(directory);
    throw new CrfsError('CRFS_UNREACHABLE', 'a mount is starting a daemon all the time: try again');
  }
  return { release: () => closeSync(directory) };
}

function checkOlder({ version: other, protocol, mounts, stores = [] }: Status): void {
  // versions are numbers and dots: 0.9.0 is before 0.10.0
  const order = other.localeCompare(version, 'en', { numeric: true });
  if (order === 0)
    throw new CrfsError(
      'CRFS_BUSY',
      `a daemon of yours is running already, of version ${other}, as this one: see \`crfs status\``,
    );
  if (order > 0) {
    throw new CrfsError('CRFS_BUSY', `a newer daemon of yours is running already: version ${other}, not ${version}`);
  }
  const { controlVersion } = addon.layout.constants;
  const places = [...mounts.map(({ mountpoint }) => mountpoint), ...stores.map(({ directory }) => directory)];
  if (protocol !== controlVersion && places.length > 0) {
    throw new CrfsError(
      'CRFS_BUSY',
      `the daemon of version ${other} speaks version ${protocol ?? '?'} of the control protocol with its mounts, this one ` +
        `version ${controlVersion}: unmount ${places.join(', ')} first`,
    );
  }
}
