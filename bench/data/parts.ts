// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';

/** Cuts a tree into so many tars, each with as many of its paths. Calls `made` with each. */
export async function cutTree(
  tree: string,
  count: number,
  directory: string,
  made: (tar: string, n: number) => Promise<void>,
): Promise<void> {
  const paths = (readdirSync(tree, { recursive: true }) as string[]).toSorted();
  const each = Math.ceil(paths.length / count);
  for (let n = 0; n < count; n++) {
    const tar = join(directory, `${n}.tar`);
    const list = paths.slice(n * each, (n + 1) * each).map((path) => `./${path}\0`);
    const args = ['-C', tree, '--no-recursion', '--null', '-cf', tar, '-T', '-'];
    await run('tar', args, { stdin: list.join('') });
    await made(tar, n);
  }
}
