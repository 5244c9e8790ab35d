// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, writeSync } from 'node:fs';
import { type Flags, loadSettings } from '../settings/settings.js';
import { Daemon } from './daemon.js';
import { lockDaemon } from './lock.js';
import { openLog } from './log.js';
import type { Hold } from './takeover.js';
import { waitForLock } from './wait.js';

/** How a daemon is started. */
export interface Start {
  /** Logs to stderr. */
  readonly foreground?: boolean;
  /** Writes "ready" to this descriptor once mounts are answered, and closes it. */
  readonly readyFd?: number;
  /** Asked for by a person, not by a mount. */
  readonly takeOver?: boolean;
}

/**
 * Runs the daemon in this process until it ends, and then ends the process. Without `takeOver` and in the background, a
 * mount has started it: then it waits for a daemon that ends, and returns if another one was faster, which serves that
 * mount as well. Rejects with CRFS_USAGE for settings that make no sense, with CRFS_BUSY where a daemon runs that does not make
 * room, and with what else keeps it from starting.
 */
export async function runDaemon(flags: Flags, start: Start): Promise<void> {
  const { foreground = false, readyFd, takeOver: asked = false } = start;
  process.umask(0o077);
  const settings = await loadSettings(flags);
  const log = openLog(settings['log-level'], foreground);
  const isMounts = readyFd !== undefined && !asked;
  let hold: Hold | undefined;
  if (!lockDaemon()) {
    if (isMounts) {
      if (!(await waitForLock(readyFd))) return;
    } else {
      const { takeOver } = await import('./takeover.js');
      hold = await takeOver(log);
    }
  }
  const daemon = await Daemon.start(settings, log);
  hold?.release();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void daemon.stop(signal));
  process.on('SIGHUP', () => undefined);
  process.on('uncaughtException', (error) => {
    log.fatal({ error: error.stack }, 'the daemon fails');
    process.exit(1);
  });
  if (readyFd !== undefined) {
    try {
      writeSync(readyFd, 'ready\n');
      closeSync(readyFd);
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'whoever started the daemon has not waited for it');
    }
  }
  if (isMounts) {
    const { leaveUnit } = await import('./leave-unit.js'); // only now: the mount has waited for long enough
    void leaveUnit(log).then((back) => process.once('exit', back));
  }
  await daemon.ended;
  process.exit(0);
}
