// SPDX-License-Identifier: GPL-3.0-or-later

import type { IndexReader } from '../../main/index/reader.js';
import { type Needs, needsOf } from './elf.js';

/** A layer to look for files in. */
export interface SearchedLayer {
  readonly number: number;
  readonly index: IndexReader;
  /** Whether the content of a file is at hand. */
  has(inode: number): boolean;
}

/**
 * The files that the program open on `fd` needs before its first instruction, and that have to be fetched: each from
 * the first of `layers` that has it. Empty if it is no program.
 */
export function missingLibraries(fd: number, layers: readonly SearchedLayer[]): { layer: number; inode: number }[] {
  const needs = needsOf(fd);
  if (needs === undefined) return [];
  return needs.names.flatMap((name) => {
    for (const layer of layers) {
      const inode = findLibrary(layer.index, needs, name);
      if (inode >= 0) return layer.has(inode) ? [] : [{ layer: layer.number, inode }];
    }
    return [];
  });
}

/** The regular file that a name leads to, over one symlink within its directory; -1: the layer has none. */
function findLibrary(index: IndexReader, { directories }: Needs, name: string): number {
  for (const directory of directories) {
    const found = index.find(`${directory}/${name}`);
    if (found < 0) continue;
    const inode = index.isSymlink(found) ? index.find(`${directory}/${index.target(found)}`) : found;
    if (inode >= 0 && index.isFile(inode) && index.chunkCount(inode) > 0) return inode;
  }
  return -1;
}
