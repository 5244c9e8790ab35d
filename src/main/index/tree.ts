// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault, quote } from '../formats/fault.js';
import { S_IFDIR } from './modes.js';
import { DETACHED, Nodes } from './nodes.js';
import { PathTable } from './path-table.js';
import { Strings } from './strings.js';

const SLASH = 0x2f;
/** Parents that a layer may leave out: some, and some more for each entry. Few layers leave out any. */
const FREE_PARENTS = 1 << 16;
const PARENTS_PER_ENTRY = 4;

/** Paths and their nodes: finds, adds, replaces as an extraction of the layer would. Paths are clean, the root is ''. */
export class Tree {
  readonly nodes = new Nodes();
  readonly strings = new Strings();

  readonly #paths = new PathTable(this.nodes, this.strings);
  #madeParents = 0;

  constructor() {
    this.nodes.add();
    this.nodes.mode.at[0] = S_IFDIR | 0o755;
  }

  /** The node at the path, or -1. */
  find(path: string): number {
    const length = this.#paths.load(path);
    return length === 0 ? 0 : this.#paths.find(length);
  }

  /**
   * The node for an entry of type `format` (S_IFMT bits, 0: hardlink) at the path. A directory that stands there already
   * is the node, with all that it holds; anything else there is replaced. Missing parents are made.
   * Throws LayerFault where a parent is no directory, or a directory that holds something would be replaced.
   */
  put(path: string, format: number): number {
    const length = this.#paths.load(path);
    if (length === 0) {
      return 0;
    }
    const there = this.#paths.find(length);
    if (there >= 0) {
      return this.nodes.isDirectory(there) && format === S_IFDIR ? there : this.#replace(there, path);
    }
    const parent = this.#parent(length);
    const node = this.#insert(parent, length);
    this.strings.add(this.#paths.bytes.subarray(0, length)); // where #insert placed the paths of this node and new parents
    return node;
  }

  /** The directory that holds the path at hand. Those that the layer left out share the bytes of this path. */
  #parent(length: number): number {
    const missing: number[] = [];
    let parent = 0;
    for (let end = length; (end = this.#paths.bytes.lastIndexOf(SLASH, end - 1)) > 0; ) {
      const there = this.#paths.find(end);
      if (there >= 0) {
        parent = there;
        break;
      }
      missing.push(end);
    }
    if (!this.nodes.isDirectory(parent)) {
      const path = this.#paths.bytes.toString('utf8', 0, length);
      throw new LayerFault(`entry ${quote(path)}: ${quote(this.path(parent))} is no directory`);
    }
    this.#madeParents += missing.length;
    if (this.#madeParents > FREE_PARENTS + PARENTS_PER_ENTRY * (this.nodes.count - this.#madeParents)) {
      throw new LayerFault(`leaves out the parents of too many files: ${this.#madeParents}`);
    }
    for (const end of missing.toReversed()) {
      parent = this.#insert(parent, end);
      this.nodes.mode.at[parent] = S_IFDIR | 0o755;
    }
    return parent;
  }

  /** Adds a node for the first `length` bytes of the path at hand. */
  #insert(parent: number, length: number): number {
    const { nodes } = this;
    const node = nodes.add();
    const parentLength = nodes.pathLength.at[parent] as number;
    nodes.path.at[node] = this.strings.length;
    nodes.pathLength.at[node] = length;
    nodes.nameLength.at[node] = length - (parentLength === 0 ? 0 : parentLength + 1);
    nodes.parent.at[node] = parent;
    nodes.length.at[parent] = (nodes.length.at[parent] as number) + 1;
    this.#paths.set(length, node);
    return node;
  }

  /** Puts a fresh node where `old` stands, of the path at hand. */
  #replace(old: number, path: string): number {
    const { nodes } = this;
    if (nodes.isDirectory(old) && (nodes.length.at[old] as number) > 0) {
      throw new LayerFault(`entry ${quote(path)}: would replace a directory that is not empty`);
    }
    const node = nodes.add();
    nodes.path.at[node] = nodes.path.at[old] as number;
    nodes.pathLength.at[node] = nodes.pathLength.at[old] as number;
    nodes.nameLength.at[node] = nodes.nameLength.at[old] as number;
    nodes.parent.at[node] = nodes.parent.at[old] as number;
    nodes.flags.at[old] = (nodes.flags.at[old] as number) | DETACHED;
    this.#paths.set(nodes.pathLength.at[old] as number, node);
    return node;
  }

  /** The path of a node. */
  path(node: number): string {
    return this.#text(this.nodes.path.at[node] as number, this.nodes.pathLength.at[node] as number);
  }

  #text(place: number, length: number): string {
    return Buffer.from(this.strings.bytes.at.slice(place, place + length)).toString();
  }

  /** Gives back what only find() and put() need. */
  freeze(): void {
    this.#paths.release();
  }

  release(): void {
    this.freeze();
    this.nodes.release();
    this.strings.release();
  }
}
