// SPDX-License-Identifier: GPL-3.0-or-later

/** What is at a directory where a store is to be, seen by another process: what does not answer must not hold this one up. */

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';

/** podman, in whose namespace it may have to look, may be slow to start. */
const ANSWERS_WITHIN_S = 30;
/** A store is served as soon as its program has started. */
const SERVED_WITHIN_MS = 60_000;
const POLL_MS = 200;
const UNMOUNTED = 3;
const SCRIPT = `stat "$0" >/dev/null || exit 1; mountpoint -q "$0" || exit ${UNMOUNTED}; exec stat -f "$0" >/dev/null`;
/** That of a shell, or of `timeout`, for a process that was killed. */
const KILLED = 128 + 9;

/** `dead`: what served it was killed. */
export type Probe = 'answers' | 'unmounted' | 'missing' | 'dead' | { readonly why: string };

/** Looks at a directory; `within` goes before the command, such as `podman unshare`. */
export async function probe(directory: string, ...within: readonly string[]): Promise<Probe> {
  const args = ['-s', 'KILL', `${ANSWERS_WITHIN_S}`, ...within, 'sh', '-c', SCRIPT, directory];
  try {
    await promisify(execFile)('timeout', args, { env: { ...process.env, LC_ALL: 'C' } }); // which ends their children, too
    return 'answers';
  } catch (error) {
    const { code, signal, stderr = '' } = error as { code?: unknown; signal?: string; stderr?: string };
    if (code === UNMOUNTED) return 'unmounted';
    if (code === KILLED || signal === 'SIGKILL') return { why: `no answer within ${ANSWERS_WITHIN_S} s` };
    if (/endpoint is not connected/i.test(stderr)) return 'dead';
    if (stderr.includes(directory) && /no such file/i.test(stderr)) return 'missing';
    return { why: stderr.trim().split('\n').at(-1) || reasonOf(error) };
  }
}

/** Waits until a store answers at a directory. Rejects with CRFS_UNREACHABLE if it takes too long to. */
export async function untilServed(directory: string, ...within: readonly string[]): Promise<void> {
  const end = Date.now() + SERVED_WITHIN_MS;
  while ((await probe(directory, ...within)) !== 'answers') {
    if (Date.now() > end) throw new CrfsError('CRFS_UNREACHABLE', `the store at ${directory} does not answer`);
    await sleep(POLL_MS);
  }
}
