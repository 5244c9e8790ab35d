// SPDX-License-Identifier: GPL-3.0-or-later

import { run } from './run.js';

/**
 * Extracts a tar, plain or compressed, with GNU tar: owners, modes, times and extended attributes of every namespace.
 * `exclude` names members to leave out.
 */
export async function extractTar(tar: string, directory: string, exclude: readonly string[] = []): Promise<void> {
  await run('tar', [
    '--extract',
    `--file=${tar}`,
    `--directory=${directory}`,
    '--same-owner',
    '--numeric-owner',
    '--same-permissions',
    '--delay-directory-restore',
    '--xattrs',
    '--xattrs-include=*',
    '--no-wildcards',
    ...exclude.map((name) => `--exclude=${name}`),
  ]);
}
