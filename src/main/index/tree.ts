// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault, quote } from '../formats/fault.js';
import { bytesOfName, nameOfBytes } from '../formats/name-bytes.js';
import { cleanPath } from '../formats/names.js';
import { S_IFDIR } from './modes.js';
import { DETACHED, Nodes } from './nodes.js';
import { PathTable, SLASH } from './path-table.js';
import { Strings } from './strings.js';

/** Parents that a layer may leave out: some, and some more for each entry. Few layers leave out any. */
const FREE_PARENTS = 1 << 16;
const PARENTS_PER_ENTRY = 4;

/** Symlinks on the way to one entry, as many as Linux follows. */
export const SYMLINKS_LIMIT = 40;
/** U+FFFD: what JSON encoders write in the place of bytes that are not UTF-8. */
const REPLACEMENT = '\ufffd';

/** Paths and their nodes: finds, adds, replaces as an extraction of the layer would. Paths are clean, the root is ''. */
export class Tree {
  readonly nodes = new Nodes();
  readonly strings = new Strings();

  readonly #paths = new PathTable(this.nodes, this.strings);
  #madeParents = 0;
  /** Directories with something in them that something else has replaced: what they held goes with them. */
  #removed = 0;
  /** How often an entry took the place of another, but for a directory that stands for itself. */
  replaced = 0;

  constructor() {
    this.nodes.add();
    this.nodes.mode.at[0] = S_IFDIR | 0o755;
  }

  /** The node at the path, or -1. */
  find(path: string): number {
    const length = this.#paths.load(path);
    return length === 0 ? 0 : this.#at(length);
  }

  /**
   * The same path with the symlinks on the way to its last part followed, within the layer, as an extraction goes. What a
   * symlink leads to need not be there. Throws LayerFault for symlinks that lead in circles.
   */
  locate(path: string): string {
    const length = this.#paths.load(path);
    return length > 0 && this.#symlinkAt(this.#nearest(length)) >= 0 ? this.#follow(path) : path;
  }

  /**
   * The node for an entry of type `format` (S_IFMT bits, 0: hardlink) at the path, symlinks on the way followed. A directory
   * that stands there already is the node, with all that it holds; anything else there is replaced, a directory with all
   * that it holds, as the OCI image specification has it ("Applying Changesets"). Missing parents are made.
   * Throws LayerFault where a parent is no directory.
   */
  put(written: string, format: number): number {
    const path = this.locate(written);
    const length = this.#paths.load(path);
    if (length === 0) {
      return 0;
    }
    const there = this.#at(length);
    if (there >= 0) {
      return this.nodes.isDirectory(there) && format === S_IFDIR ? there : this.#replace(there, path);
    }
    const parent = this.#parent(length);
    const node = this.#insert(parent, length);
    this.strings.add(this.#paths.bytes.subarray(0, length)); // where #insert placed the paths of this node and new parents
    return node;
  }

  /** The node at the first `length` bytes of the loaded path, or -1. */
  #at(length: number): number {
    const node = this.#paths.find(length);
    return this.#removed > 0 && node >= 0 && this.#isRemoved(node) ? -1 : node;
  }

  #isRemoved(node: number): boolean {
    let at = node;
    while (at > 0 && !this.nodes.isDetached(at)) {
      at = this.nodes.parent.at[at] as number;
    }
    return at > 0;
  }

  /** The node of the longest path above the loaded path that is there. */
  #nearest(length: number): number {
    for (let end = length; (end = this.#paths.bytes.lastIndexOf(SLASH, end - 1)) > 0; ) {
      const there = this.#at(end);
      if (there >= 0) {
        return there;
      }
    }
    return 0;
  }

  /** See locate(). */
  #follow(path: string): string {
    let trail: string[] = [];
    const followed = new Set<number>();
    let count = 0;
    const steps = path.split('/').toReversed();
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      if (step === '..') trail.pop(); // above the root is the root
      if (step === '' || step === '.' || step === '..') continue;
      trail.push(step);
      const node = steps.length > 0 ? this.#symlinkAt(this.find(trail.join('/'))) : -1;
      if (node < 0) continue;
      if (++count > SYMLINKS_LIMIT) {
        throw new LayerFault(`entry ${quote(path)}: more than ${SYMLINKS_LIMIT} symlinks on the way`);
      }
      followed.add(node);
      const target = this.#target(node);
      trail = target.startsWith('/') ? [] : trail.slice(0, -1);
      steps.push(...target.split('/').toReversed());
    }
    const end = trail.join('/');
    if (followed.has(this.#symlinkAt(this.find(end))))
      throw new LayerFault(`entry ${quote(path)}: stands where a symlink on its own way does`);
    return cleanPath(end, `entry ${quote(path)}: what its symlinks lead to`);
  }

  /** The symlink that a node is, or is a hardlink to; -1 if it is neither. */
  #symlinkAt(node: number): number {
    const { nodes } = this;
    let at = node;
    while (at > 0 && nodes.isHardlink(at) && nodes.size.at[at] === 0) {
      at = nodes.first.at[at] as number; // of a node before it
    }
    return at > 0 && nodes.isSymlink(at) ? at : -1;
  }

  /** Makes this what a symlink leads to. */
  setTarget(node: number, target: string): void {
    const bytes = bytesOfName(target);
    this.nodes.first.at[node] = this.strings.add(bytes);
    this.nodes.size.at[node] = bytes.length;
  }

  #target(symlink: number): string {
    return this.#text(this.nodes.first.at[symlink] as number, this.nodes.size.at[symlink] as number);
  }

  /** The directory that holds the loaded path. Those that the layer left out share the bytes of this path. */
  #parent(length: number): number {
    const missing: number[] = [];
    let parent = 0;
    for (let end = length; (end = this.#paths.bytes.lastIndexOf(SLASH, end - 1)) > 0; ) {
      const there = this.#at(end);
      if (there >= 0) {
        parent = there;
        break;
      }
      missing.push(end);
    }
    if (!this.nodes.isDirectory(parent)) {
      const path = nameOfBytes(this.#paths.bytes.subarray(0, length));
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

  /** Adds a node for the first `length` bytes of the loaded path. */
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

  /** Puts a new node in the place of `old`, which is that of the loaded path. */
  #replace(old: number, path: string): number {
    const { nodes } = this;
    if (nodes.isDirectory(old)) {
      this.#removed += (nodes.length.at[old] as number) > 0 ? 1 : 0;
    } else if (path.includes(REPLACEMENT)) {
      const advice = 'two names that are not UTF-8 may have become one: convert the original by `crfs stargzify`';
      throw new LayerFault(`entry ${quote(path)} is there twice; ${advice}`);
    }
    this.replaced++;
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
    return nameOfBytes(this.strings.bytes.at.slice(place, place + length));
  }

  /** Takes what stood in removed directories out of the tree. A directory's number is below those of all that it holds. */
  dropRemoved(): void {
    const { nodes } = this;
    for (let node = 1; this.#removed > 0 && node < nodes.count; node++) {
      if (nodes.isDetached(nodes.parent.at[node] as number)) {
        nodes.flags.at[node] = (nodes.flags.at[node] as number) | DETACHED;
      }
    }
  }

  /** Gives back what only find() and put() need. */
  freeze(): void {
    this.#paths.release();
  }

  get memory(): number {
    return this.nodes.memory + this.strings.memory + this.#paths.memory;
  }

  release(): void {
    this.freeze();
    this.nodes.release();
    this.strings.release();
  }
}
