// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';
import { LayerFault } from '../formats/fault.js';
import { type Cells, type CellsConstructor, Column } from './column.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './modes.js';

const { inodeLimit } = addon.layout.constants;
/** Room is made for so many more nodes at a time. */
const RESERVE = 2048;

/** An object's name is a sha256, kept as words: bytes of it in the order of memory, little-endian. */
export const KEY_WORDS = 8;

/** A bit of `flags`: the object's name is the sha256 of the content. */
export const KEY_IS_DIGEST = 1;
/** A bit of `flags`: taken out of the tree, by a later entry of the same path or as a needless whiteout; hardlinks may still keep it. */
export const DETACHED = 2;
/** A regular file of several chunks that cannot be checked one by one, but only all together. */
export const CHECKED_WHOLE = 4;
/** A regular file of several chunks whose content has a digest beside theirs: right behind them. */
export const SUMMED = 8;

/**
 * What the TOC told about each path, a column per field. Node 0 is the root; a directory's number is below those of
 * all that it holds. A hardlink is a node without S_IFMT bits.
 */
export class Nodes {
  count = 0;
  readonly #columns: Column<Cells>[] = [];

  /** Place of the full path in the strings. */
  readonly path = this.#column(Uint32Array);
  readonly pathLength = this.#column(Uint16Array);
  readonly nameLength = this.#column(Uint8Array);
  readonly parent = this.#column(Uint32Array);
  /** KEY_IS_DIGEST, DETACHED. */
  readonly flags = this.#column(Uint8Array);
  readonly mode = this.#column(Uint32Array);
  readonly uid = this.#column(Uint32Array);
  readonly gid = this.#column(Uint32Array);
  readonly mtimeSec = this.#column(Float64Array);
  readonly mtimeNsec = this.#column(Uint32Array);
  readonly xattrFirst = this.#column(Uint32Array);
  readonly xattrCount = this.#column(Uint32Array);
  /** Regular file: bytes; symlink: bytes of its target. */
  readonly size = this.#column(Float64Array);
  /** Regular file: first chunk; symlink: place of its target; device: major; hardlink: the node that it names. */
  readonly first = this.#column(Uint32Array);
  /** Regular file: chunks; directory: entries; device: minor. */
  readonly length = this.#column(Uint32Array);
  /** Regular file: the name of its object, KEY_WORDS words each. */
  readonly key = new Column(Uint32Array, inodeLimit * KEY_WORDS);

  #capacity = 0;

  #column<A extends Cells>(cells: CellsConstructor<A>): Column<A> {
    const column = new Column(cells, inodeLimit);
    this.#columns.push(column);
    return column;
  }

  /** Adds a node, all zero. */
  add(): number {
    if (this.count === this.#capacity) {
      this.#grow();
    }
    return this.count++;
  }

  #grow(): void {
    if (this.count === inodeLimit) {
      throw new LayerFault(`holds more than ${inodeLimit} files`);
    }
    this.#capacity = Math.min(this.#capacity + RESERVE, inodeLimit);
    for (const column of this.#columns) {
      column.reserve(this.#capacity);
    }
    this.key.reserve(this.#capacity * KEY_WORDS);
  }

  isDirectory(node: number): boolean {
    return ((this.mode.at[node] as number) & S_IFMT) === S_IFDIR;
  }

  isRegular(node: number): boolean {
    return ((this.mode.at[node] as number) & S_IFMT) === S_IFREG;
  }

  isSymlink(node: number): boolean {
    return ((this.mode.at[node] as number) & S_IFMT) === S_IFLNK;
  }

  isDevice(node: number): boolean {
    const format = (this.mode.at[node] as number) & S_IFMT;
    return format === S_IFCHR || format === S_IFBLK;
  }

  isHardlink(node: number): boolean {
    return ((this.mode.at[node] as number) & S_IFMT) === 0;
  }

  isDetached(node: number): boolean {
    return ((this.flags.at[node] as number) & DETACHED) !== 0;
  }

  get memory(): number {
    return this.#columns.reduce((sum, column) => sum + column.memory, this.key.memory);
  }

  release(): void {
    for (const column of this.#columns) {
      column.release();
    }
    this.key.release();
  }
}
