// SPDX-License-Identifier: GPL-3.0-or-later

import type { Nodes } from './nodes.js';
import type { Tree } from './tree.js';

/** The numbers that nodes get in the index. */
export interface Numbering {
  /** The node of each inode, in the order of the TOC. */
  readonly inodes: Uint32Array;
  /** The node of each dirent, a directory's together and sorted by the bytes of their names. */
  readonly dirents: Uint32Array;
  /** By node: the inode that it leads to. */
  readonly inodeOf: Uint32Array;
  /** By node: links to the file. */
  readonly nlink: Uint32Array;
  /** By node: a dirent that leads to the inode. */
  readonly direntOf: Uint32Array;
}

/** The node whose file a node of the tree stands for: itself, but for a hardlink. */
export function fileOf(nodes: Nodes, node: number): number {
  return nodes.isHardlink(node) ? (nodes.first.at[node] as number) : node;
}

/**
 * Numbers what is in the tree, hardlinks resolved. From here on, a directory's `length` counts what it holds in the end,
 * and its `first` is its first dirent.
 */
export function numberNodes(tree: Tree): Numbering {
  const { nodes } = tree;
  const nlink = countLinks(nodes);
  const inodes = new Uint32Array(nodes.count);
  const inodeOf = new Uint32Array(nodes.count);
  let inodeCount = 0;
  for (let node = 0; node < nodes.count; node++) {
    if ((nlink[node] as number) > 0) {
      inodeOf[node] = inodeCount;
      inodes[inodeCount++] = node;
    }
  }
  const dirents = placeDirents(nodes);
  sortDirents(tree, inodes.subarray(0, inodeCount), dirents);
  const direntOf = new Uint32Array(nodes.count);
  for (let dirent = 0; dirent < dirents.length; dirent++) {
    const file = fileOf(nodes, dirents[dirent] as number);
    inodeOf[dirents[dirent] as number] = inodeOf[file] as number;
    direntOf[file] = dirent;
  }
  return { inodes: inodes.subarray(0, inodeCount), dirents, inodeOf, nlink, direntOf };
}

/** Links by node; 0 for what is not in the tree. Counts what directories hold on the way. */
function countLinks(nodes: Nodes): Uint32Array {
  const nlink = new Uint32Array(nodes.count);
  nlink[0] = 2; // its own '.' and '..'
  for (let node = 0; node < nodes.count; node++) {
    if (nodes.isDirectory(node)) {
      nodes.length.at[node] = 0;
    }
  }
  for (let node = 1; node < nodes.count; node++) {
    if (nodes.isDetached(node)) {
      continue;
    }
    const parent = nodes.parent.at[node] as number;
    nodes.length.at[parent] = (nodes.length.at[parent] as number) + 1;
    if (nodes.isDirectory(node)) {
      nlink[node] = 2; // its name and its '.'
      nlink[parent] = (nlink[parent] as number) + 1; // its '..'
    } else {
      const file = fileOf(nodes, node);
      nlink[file] = (nlink[file] as number) + 1;
    }
  }
  return nlink;
}

/** Gives each directory its row of dirents, and fills the rows in the order of the TOC. */
function placeDirents(nodes: Nodes): Uint32Array {
  let count = 0;
  for (let node = 0; node < nodes.count; node++) {
    if (nodes.isDirectory(node) && !nodes.isDetached(node)) {
      nodes.first.at[node] = count;
      count += nodes.length.at[node] as number;
    }
  }
  const next = nodes.first.at.slice(0, nodes.count);
  const dirents = new Uint32Array(count);
  for (let node = 1; node < nodes.count; node++) {
    if (!nodes.isDetached(node)) {
      const parent = nodes.parent.at[node] as number;
      const dirent = next[parent] as number;
      next[parent] = dirent + 1;
      dirents[dirent] = node;
    }
  }
  return dirents;
}

function sortDirents({ nodes, strings }: Tree, inodes: Uint32Array, dirents: Uint32Array): void {
  const bytes = strings.bytes.at;
  const compare = (a: number, b: number) => {
    const aLength = nodes.nameLength.at[a] as number;
    const bLength = nodes.nameLength.at[b] as number;
    const aName = (nodes.path.at[a] as number) + (nodes.pathLength.at[a] as number) - aLength;
    const bName = (nodes.path.at[b] as number) + (nodes.pathLength.at[b] as number) - bLength;
    for (let i = 0; i < aLength && i < bLength; i++) {
      if (bytes[aName + i] !== bytes[bName + i]) {
        return (bytes[aName + i] as number) - (bytes[bName + i] as number);
      }
    }
    return aLength - bLength;
  };
  for (const node of inodes) {
    if (nodes.isDirectory(node)) {
      const first = nodes.first.at[node] as number;
      const length = nodes.length.at[node] as number;
      if (length > 1) {
        dirents.subarray(first, first + length).sort(compare);
      }
    }
  }
}
