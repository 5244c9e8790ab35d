// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { askDaemon } from '../daemon/ask.js';
import { CrfsError } from '../errors/error.js';
import { sayingSo } from '../output/waiting.js';

const LOOK_EVERY_MS = 20;
const STOP_WITHIN_MS = 60_000;

/** Whether a daemon is there; one that is about to end may cut its answer off. */
async function answers(): Promise<boolean> {
  try {
    return (await askDaemon('GET', '/status')) !== undefined;
  } catch (error) {
    if (error instanceof CrfsError) return true;
    throw error;
  }
}

/** `crfs stop` */
export function addStop(program: Command): void {
  program
    .command('stop')
    .description('end the daemon; mounts that are still there start it again when they need it')
    .addHelpText('after', '\nExits with 0 when the daemon has ended, also if none ran.\n\nExample:\n  crfs stop')
    .action(async () => await sayingSo('for the daemon to end, which first has the cache on the disk', stop()));
}

async function stop(): Promise<void> {
  if ((await askDaemon('POST', '/stop')) === undefined) return;
  for (const end = Date.now() + STOP_WITHIN_MS; Date.now() < end; await sleep(LOOK_EVERY_MS)) {
    if (!(await answers())) return;
  }
  throw new CrfsError(
    'CRFS_UNREACHABLE',
    `the daemon still runs, ${STOP_WITHIN_MS / 1000} s after it was asked to end`,
  );
}
