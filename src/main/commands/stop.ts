// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { askDaemon, askStatus } from '../daemon/ask.js';
import { CrfsError } from '../errors/error.js';
import { mountsWithoutDaemon } from '../mount/hosts.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';

const LOOK_EVERY_MS = 20;
const STOP_WITHIN_MS = 60_000;

/** `crfs stop` */
export function addStop(program: Command): void {
  program
    .command('stop')
    .description('end the daemon; mounts that are still there start it again when they need it')
    .addHelpText('after', '\nExits with 0 when the daemon has ended, also if none ran.\n\nExample:\n  crfs stop')
    .action(async () => {
      const ended = await tellingIfSlow('waiting for the daemon to end, which puts the cache on the disk', stop());
      const left = mountsWithoutDaemon(cacheDirectory()).length;
      const mounts =
        left === 0
          ? ''
          : `; ${left} ${left === 1 ? 'mount stays, and starts' : 'mounts stay, and start'} another one when read`;
      process.stdout.write(`${ended ? 'The daemon has ended' : 'No daemon runs'}${mounts}.\n`);
    });
}

/** The daemon that was asked is to end: another one may have been started since. Resolves to whether one ran. Throws CRFS_UNREACHABLE. */
export async function stop(): Promise<boolean> {
  const asked = await askDaemon('POST', '/stop');
  if (asked === undefined) return false;
  for (const end = Date.now() + STOP_WITHIN_MS; Date.now() < end; await sleep(LOOK_EVERY_MS)) {
    if (!(await runs(Number(asked)))) return true;
  }
  const since = `${STOP_WITHIN_MS / 1000} s after it was asked to end`;
  throw new CrfsError('CRFS_UNREACHABLE', `the daemon still runs, ${since}: its PID is ${asked}`);
}

/** Whether the daemon `pid` still answers; it may be about to end, and cut its answer off. */
async function runs(pid: number): Promise<boolean> {
  try {
    return (await askStatus())?.pid === pid;
  } catch (error) {
    if (error instanceof CrfsError) return true;
    throw error;
  }
}
