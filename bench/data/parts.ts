// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import { run } from '../../test/tools/run.js';

/** Cuts a tree into so many tars, each with as many of its paths. Calls `made` with each. */
export async function cutTree(
  tree: string,
  count: number,
  directory: string,
  made: (tar: string, n: number) => Promise<void>,
): Promise<void> {
  // unlike readdir of Node.js, find does not follow /dev/fd out of the tree
  const found = String(await run('find', [tree, '-mindepth', '1', '-printf', '%P\\0']));
  const paths = found.split('\0').slice(0, -1).toSorted();
  const each = Math.ceil(paths.length / count);
  for (let n = 0; n < count; n++) {
    const tar = join(directory, `${n}.tar`);
    const list = paths.slice(n * each, (n + 1) * each).map((path) => `./${path}\0`);
    const args = ['-C', tree, '--no-recursion', '--null', '-cf', tar, '-T', '-'];
    await run('tar', args, { stdin: list.join('') });
    await made(tar, n);
  }
}
