// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { addon } from '../../native/addon.js';
import { LayerFault, quote } from '../formats/fault.js';
import { Column } from './column.js';
import { placeEnd, placeStart, placeStep } from './hash.js';
import { S_IFDIR } from './modes.js';
import { DETACHED, Nodes } from './nodes.js';
import { Strings } from './strings.js';

const { inodeLimit, pathLimit } = addon.layout.constants;

const SLASH = 0x2f;
/** Parents that a layer may leave out: some, and some more for each entry. Few layers leave out any. */
const FREE_PARENTS = 1 << 16;
const PARENTS_PER_ENTRY = 4;

const FIRST_SLOTS = 1 << 16;

/** Paths and their nodes: finds, adds, replaces as an extraction of the layer would. Paths are clean, the root is ''. */
export class Tree {
  readonly nodes = new Nodes();
  readonly strings = new Strings();

  /** The path at hand; and by length of a prefix its hash state, if it ends before a slash or at the path's end. */
  readonly #bytes = Buffer.alloc(pathLimit);
  readonly #states = new Uint32Array(pathLimit + 1);

  /** Open addressing: 1 + node, or 0. The seed is nobody's to guess, so nobody can make paths collide. */
  readonly #seed = randomBytes(4).readInt32LE();
  readonly #hash = new Column(Uint32Array, inodeLimit);
  #slots = Tree.#emptySlots(FIRST_SLOTS);
  #used = 0;
  #madeParents = 0;

  constructor() {
    this.nodes.add();
    this.nodes.mode.at[0] = S_IFDIR | 0o755;
  }

  static #emptySlots(count: number): Column<Uint32Array> {
    const slots = new Column(Uint32Array, count);
    slots.reserve(count);
    return slots;
  }

  /** The node at the path, or -1. */
  find(path: string): number {
    const length = this.#load(path);
    return length === 0 ? 0 : (this.#slots.at[this.#slot(length)] as number) - 1;
  }

  /**
   * The node for an entry of type `format` (S_IFMT bits, 0: hardlink) at the path. A directory that stands there already
   * is the node, with all that it holds; anything else there is replaced. Missing parents are made.
   * Throws LayerFault where a parent is no directory, or a directory that holds something would be replaced.
   */
  put(path: string, format: number): number {
    const length = this.#load(path);
    if (length === 0) {
      return 0;
    }
    const there = (this.#slots.at[this.#slot(length)] as number) - 1;
    if (there >= 0) {
      return this.nodes.isDirectory(there) && format === S_IFDIR ? there : this.#replace(there, path);
    }
    const parent = this.#parent(length);
    const node = this.#insert(parent, length);
    this.strings.add(this.#bytes.subarray(0, length)); // where #insert placed the paths of this node and new parents
    return node;
  }

  /** Makes this the path at hand, its prefixes hashed; returns its length in bytes. */
  #load(path: string): number {
    const bytes = this.#bytes;
    const states = this.#states;
    const length = bytes.write(path);
    let state = placeStart(this.#seed);
    for (let i = 0; i < length; i++) {
      const c = bytes[i] as number;
      if (c === SLASH) {
        states[i] = state;
      }
      state = placeStep(state, c);
    }
    states[length] = state;
    return length;
  }

  /** The slot of the first `length` bytes of the path at hand: theirs, or the empty one that would be theirs. */
  #slot(length: number): number {
    const slots = this.#slots.at;
    const hash = this.#hash.at;
    const mask = slots.length - 1;
    const state = this.#states[length] as number;
    let slot = placeEnd(state) & mask;
    for (;;) {
      const node = (slots[slot] as number) - 1;
      if (node < 0 || (hash[node] === state && this.#isPath(node, length))) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #isPath(node: number, length: number): boolean {
    if (this.nodes.pathLength.at[node] !== length) {
      return false;
    }
    const bytes = this.#bytes;
    const strings = this.strings.bytes.at;
    const place = this.nodes.path.at[node] as number;
    let i = length - 1;
    while (i >= 0 && strings[place + i] === bytes[i]) {
      i--;
    }
    return i < 0;
  }

  /** The directory that holds the path at hand. Those that the layer left out share the bytes of this path. */
  #parent(length: number): number {
    const missing: number[] = [];
    let parent = 0;
    for (let end = length; (end = this.#bytes.lastIndexOf(SLASH, end - 1)) > 0; ) {
      const there = (this.#slots.at[this.#slot(end)] as number) - 1;
      if (there >= 0) {
        parent = there;
        break;
      }
      missing.push(end);
    }
    if (!this.nodes.isDirectory(parent)) {
      const path = this.#bytes.toString('utf8', 0, length);
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
    if (this.#used * 2 >= this.#slots.at.length) {
      this.#rehash();
    }
    const { nodes } = this;
    const node = nodes.add();
    const parentLength = nodes.pathLength.at[parent] as number;
    nodes.path.at[node] = this.strings.length;
    nodes.pathLength.at[node] = length;
    nodes.nameLength.at[node] = length - (parentLength === 0 ? 0 : parentLength + 1);
    nodes.parent.at[node] = parent;
    nodes.length.at[parent] = (nodes.length.at[parent] as number) + 1;
    this.#hash.reserve(node + 1);
    this.#hash.at[node] = this.#states[length] as number;
    this.#slots.at[this.#slot(length)] = node + 1;
    this.#used++;
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
    this.#hash.reserve(node + 1);
    this.#hash.at[node] = this.#hash.at[old] as number;
    this.#slots.at[this.#slot(nodes.pathLength.at[old] as number)] = node + 1;
    return node;
  }

  #rehash(): void {
    const old = this.#slots;
    this.#slots = Tree.#emptySlots(old.at.length * 2);
    const slots = this.#slots.at;
    const mask = slots.length - 1;
    for (let i = 0; i < old.at.length; i++) {
      const entry = old.at[i] as number;
      if (entry !== 0) {
        let slot = placeEnd(this.#hash.at[entry - 1] as number) & mask;
        while (slots[slot] !== 0) {
          slot = (slot + 1) & mask;
        }
        slots[slot] = entry;
      }
    }
    old.release();
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
    this.#slots.release();
    this.#hash.release();
  }

  release(): void {
    this.freeze();
    this.nodes.release();
    this.strings.release();
  }
}
