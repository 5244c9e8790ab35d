// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Outcome, outcomeOf } from './compile.js';

const top = join(import.meta.dirname, '../../..');

export interface Given {
  readonly fault?: string;
  readonly program?: string;
  /** What is mounted; a file that exists by default. */
  readonly asked?: (root: string) => string;
  readonly env?: (root: string) => NodeJS.ProcessEnv;
}

/** Runs a scenario of a host in a world of its own. Resolves to what came of it, and how many daemons it started. */
export async function mounted(
  programs: { readonly daemon: string; readonly program: string },
  scenario: string,
  given: Given = {},
): Promise<Outcome & { readonly daemons: number; readonly root: string }> {
  const root = await mkdtemp(join(tmpdir(), 'crfs-mount-'));
  const blob = join(root, 'blob');
  await mkdir(join(root, 'cache'));
  await writeFile(blob, 'compressed');
  const outcome = await outcomeOf(
    given.program ?? programs.program,
    [scenario, Buffer.from(given.asked?.(root) ?? blob, 'latin1').toString('base64url')],
    {
      XDG_CACHE_HOME: join(root, 'cache'),
      FAKE_ROOT: root,
      FAKE: given.fault ?? '',
      TSAN_OPTIONS: `suppressions=${join(top, 'test/native/thread-suppressions')}:history_size=7`,
      CRFS_PLUGIN_DAEMON: programs.daemon,
      CRFS_CREDS: 'name:password',
      ...given.env?.(root),
    },
  );
  const daemons = await readFile(join(root, 'starts'), 'utf8').catch(() => '');
  await rm(root, { recursive: true, force: true });
  return { ...outcome, daemons: daemons.length, root };
}
