// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { addon } from '../../native/addon.js';
import { bytesOfName } from '../formats/name-bytes.js';
import { Column } from './column.js';
import { placeEnd, placeStart, placeStep } from './hash.js';
import type { Nodes } from './nodes.js';
import type { Strings } from './strings.js';

const { inodeLimit, pathLimit } = addon.layout.constants;

export const SLASH = 0x2f;
const FIRST_SLOTS = 1 << 14;

function emptySlots(count: number): Column<Uint32Array> {
  const slots = new Column(Uint32Array, count);
  slots.reserve(count);
  return slots;
}

/**
 * Nodes by path: a hash table with open addressing, under a seed that nobody can guess, so that nobody can make paths
 * collide. Works on one path at a time, the one that was loaded last, and on its prefixes that end before a slash.
 */
export class PathTable {
  /** The loaded path, in its first bytes. */
  readonly bytes = Buffer.alloc(pathLimit);
  /** By length of a prefix: its hash state. */
  readonly #states = new Uint32Array(pathLimit + 1);

  readonly #nodes: Nodes;
  readonly #strings: Strings;
  readonly #seed = randomBytes(4).readInt32LE();
  /** By node: the hash state of its path. */
  readonly #hash = new Column(Uint32Array, inodeLimit);
  /** 1 + node, or 0. */
  #slots = emptySlots(FIRST_SLOTS);
  #used = 0;

  constructor(nodes: Nodes, strings: Strings) {
    this.#nodes = nodes;
    this.#strings = strings;
  }

  /** Loads a path, and hashes its prefixes; returns its length in bytes. */
  load(path: string): number {
    const bytes = this.bytes;
    const states = this.#states;
    const length = path.isWellFormed() ? bytes.write(path) : bytesOfName(path).copy(bytes);
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

  /** The node at the first `length` bytes of the loaded path, or -1. */
  find(length: number): number {
    return (this.#slots.at[this.#slot(length)] as number) - 1;
  }

  /** Makes this node the one at the first `length` bytes of the loaded path. */
  set(length: number, node: number): void {
    if (this.#used * 2 >= this.#slots.at.length) {
      this.#grow();
    }
    const slot = this.#slot(length);
    this.#used += this.#slots.at[slot] === 0 ? 1 : 0;
    this.#slots.at[slot] = node + 1;
    this.#hash.reserve(node + 1);
    this.#hash.at[node] = this.#states[length] as number;
  }

  /** The slot of the first `length` bytes of the loaded path: theirs, or the empty one that would be theirs. */
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
    if (this.#nodes.pathLength.at[node] !== length) {
      return false;
    }
    const bytes = this.bytes;
    const strings = this.#strings.bytes.at;
    const place = this.#nodes.path.at[node] as number;
    let i = length - 1;
    while (i >= 0 && strings[place + i] === bytes[i]) {
      i--;
    }
    return i < 0;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = emptySlots(old.at.length * 2);
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

  get memory(): number {
    return this.#slots.memory + this.#hash.memory;
  }

  release(): void {
    this.#slots.release();
    this.#hash.release();
  }
}
