// SPDX-License-Identifier: GPL-3.0-or-later

import { run } from '../test/tools/run.js';
import type { Contender } from './machines/contenders.js';
import type { Lower } from './machines/mount-command.js';

/** Has in the page cache what a contender reads: layer files, or all files of the extracted trees. */
export async function warm({ frontEnd }: Contender, lowers: readonly Lower[]): Promise<void> {
  await cat(...lowers.map(({ tree, layer }) => (frontEnd ? layer.replace(/^file:\/\//, '') : tree)));
}

/** Reads all files that are given, or below what is given, once. */
export async function cat(...paths: readonly string[]): Promise<void> {
  await run('sh', ['-c', 'find "$@" -type f -exec cat {} + >/dev/null', 'sh', ...paths]);
}
