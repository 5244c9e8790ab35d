// SPDX-License-Identifier: GPL-3.0-or-later

import { DETACHED } from './nodes.js';
import type { Tree } from './tree.js';

/** How the name of a whiteout begins; then comes the name that it hides. */
export const WHITEOUT = '.wh.';
/** Of `.wh..wh..opq`, which makes its directory opaque, and others that hide no single name. */
const META = '.wh..wh.';

/**
 * Takes every whiteout out of the tree whose own layer has an entry of the name that it hides: it hides that name in the
 * layers below alone; and those that hide no name. All others stay as they are, for the host to interpret. (OCI image
 * specification, "Whiteouts".)
 */
export function dropOverriddenWhiteouts(tree: Tree): void {
  const { nodes } = tree;
  for (let node = 1; node < nodes.count; node++) {
    if (nodes.isDetached(nodes.parent.at[node] as number) || isOverridden(tree, node)) {
      nodes.flags.at[node] = (nodes.flags.at[node] as number) | DETACHED;
    }
  }
}

function isOverridden(tree: Tree, node: number): boolean {
  if (!nameStarts(tree, node, WHITEOUT) || nameStarts(tree, node, META) || tree.nodes.isDetached(node)) return false;
  const path = tree.path(node);
  const nameAt = path.lastIndexOf('/') + 1;
  const hidden = path.slice(nameAt + WHITEOUT.length);
  return hidden === '' || tree.find(path.slice(0, nameAt) + hidden) >= 0;
}

function nameStarts(tree: Tree, node: number, prefix: string): boolean {
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
