// SPDX-License-Identifier: GPL-3.0-or-later

import { DETACHED } from './nodes.js';
import type { Tree } from './tree.js';

const WHITEOUT = '.wh.';
const META = '.wh..wh.'; // .wh..wh..opq and its kin hide no single name

/**
 * Takes out of the tree every whiteout whose own layer holds the very name that it hides: the entry wins. All others
 * stay as they are, for the host to interpret.
 */
export function dropBeatenWhiteouts(tree: Tree): void {
  const { nodes } = tree;
  for (let node = 1; node < nodes.count; node++) {
    if (!startsAs(tree, node, WHITEOUT) || startsAs(tree, node, META)) {
      continue;
    }
    if (nodes.isDetached(node) || nodes.isDirectory(node)) {
      continue;
    }
    const path = tree.path(node);
    const nameAt = path.lastIndexOf('/') + 1;
    const hidden = path.slice(nameAt + WHITEOUT.length);
    if (hidden !== '' && tree.find(path.slice(0, nameAt) + hidden) >= 0) {
      nodes.flags.at[node] = (nodes.flags.at[node] as number) | DETACHED;
    }
  }
}

function startsAs(tree: Tree, node: number, prefix: string): boolean {
  const { nodes } = tree;
  const length = nodes.nameLength.at[node] as number;
  const place = (nodes.path.at[node] as number) + (nodes.pathLength.at[node] as number) - length;
  for (let i = 0; i < prefix.length; i++) {
    if (i >= length || tree.strings.bytes.at[place + i] !== prefix.charCodeAt(i)) {
      return false;
    }
  }
  return true;
}
