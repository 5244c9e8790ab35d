// SPDX-License-Identifier: GPL-3.0-or-later

/** What podman tells of itself. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { checkJson } from '../schema/check.js';
import type { Places } from './places.js';

/** podman may have its storage to look through first. */
const ANSWERS_WITHIN_MS = 60_000;
/** The first version that reads storage.conf.d. */
const DROP_INS = 6;

export interface Podman {
  readonly version: string;
  readonly rootless: boolean;
  /** Of its storage: `overlay`, `vfs` */
  readonly driver: string;
  readonly graphRoot: string;
  readonly runRoot: string;
  /** What mounts for it, instead of the kernel. */
  readonly mountProgram: string | undefined;
}

const infoSchema = v.object({
  version: v.object({ Version: v.string() }),
  host: v.object({ security: v.object({ rootless: v.boolean() }) }),
  store: v.object({
    graphDriverName: v.string(),
    graphRoot: v.string(),
    runRoot: v.string(),
    graphOptions: v.record(v.string(), v.unknown()),
  }),
});

/** Asks podman. Rejects with CRFS_NOT_FOUND where there is none, and CRFS_INTERNAL with what it says where it fails. */
export async function askPodman(): Promise<Podman> {
  const answer = await podman('info', '--format', 'json');
  const info = checkJson(infoSchema, Buffer.from(answer), { where: 'podman info', code: 'CRFS_INTERNAL' });
  const { graphDriverName: driver, graphRoot, runRoot, graphOptions } = info.store;
  const program = graphOptions['overlay.mount_program'] as { Executable?: unknown } | undefined;
  return {
    version: info.version.Version,
    rootless: info.host.security.rootless,
    driver,
    graphRoot,
    runRoot,
    mountProgram: typeof program?.Executable === 'string' ? program.Executable : undefined,
  };
}

/**
 * What podman would be with a storage.conf that says `overlay`, before it was ever run: once asked, it may have chosen vfs, for
 * good. Rejects as askPodman does.
 */
export async function expectPodman({ isSystem, graphRoot }: Places): Promise<Podman> {
  const version = (await podman('--version')).trim().replace(/^podman version /, '');
  const runRoot = '/run/containers/storage'; // root's: a user's own is podman's to choose
  return { version, rootless: !isSystem, driver: 'overlay', graphRoot, runRoot, mountProgram: undefined };
}

/** Whether it reads drop-in files of storage.conf. */
export function readsDropIns({ version }: Podman): boolean {
  return Number.parseInt(version, 10) >= DROP_INS;
}

async function podman(...args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)('podman', args, { timeout: ANSWERS_WITHIN_MS, maxBuffer: 16 << 20 })).stdout;
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw new CrfsError('CRFS_NOT_FOUND', 'podman is not installed', { cause: error });
    const said = stderr.trim().split('\n').at(-1) || reasonOf(error);
    throw new CrfsError('CRFS_INTERNAL', `podman ${args[0]} fails: ${said}`, { cause: error });
  }
}
