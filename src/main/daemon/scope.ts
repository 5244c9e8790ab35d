// SPDX-License-Identifier: GPL-3.0-or-later

/** systemd as the keeper of this process: over D-Bus, by `busctl`, which comes with it. */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { reasonOf } from '../errors/reason.js';

const ANSWER_WITHIN_S = 5;
const CHECK_EVERY_MS = 20;
const MOVED_WITHIN_MS = 5000;

/** The last and least of all user ids: its namespace has them all. */
const ALL_USERS = /^\s*0\s+0\s+4294967295$/m;

/**
 * Has systemd put this process, with all of its threads, into a scope of its own, which ends with it. Resolves to the scope's
 * name once it is there. Rejects where no systemd answers, or it does not do that.
 */
export async function moveIntoScope(): Promise<string> {
  // Process numbers mean the same to both only where it is the first process that we see.
  if (readFileSync('/proc/1/comm', 'utf8') !== 'systemd\n') throw new Error('no systemd runs this machine');
  const scope = `crfs-plugin-${process.pid}.scope`;
  const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
  const properties = ['2', 'PIDs', 'au', '1', String(process.pid), 'Description', 's', 'crfs-plugin: the daemon'];
  const call = ['StartTransientUnit', 'ssa(sv)a(sa(sv))', scope, 'fail', ...properties, '0'];
  const before = cgroups();
  const options = [isRoot() ? '--system' : '--user', '--quiet', `--timeout=${ANSWER_WITHIN_S}`];
  await busctl([...options, 'call', ...manager, ...call]);
  for (const end = Date.now() + MOVED_WITHIN_MS; cgroups() === before; await sleep(CHECK_EVERY_MS)) {
    if (Date.now() > end) throw new Error(`systemd has not started ${scope}`);
  }
  return scope;
}

async function busctl(args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('busctl', args, { timeout: 2 * ANSWER_WITHIN_S * 1000 });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new Error(`busctl: ${stderr.trim() || reasonOf(error)}`, { cause: error });
  }
}

/** Whether systemd's own instance is ours to ask: not that of a user who is root in a namespace of his own. */
function isRoot(): boolean {
  return process.geteuid?.() === 0 && ALL_USERS.test(readFileSync('/proc/self/uid_map', 'utf8'));
}

function cgroups(): string {
  return readFileSync('/proc/self/cgroup', 'utf8');
}
