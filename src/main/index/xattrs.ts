// SPDX-License-Identifier: GPL-3.0-or-later

import type { Xattr } from '../formats/entry.js';
import { LayerFault } from '../formats/fault.js';
import { bytesOfName, nameLength } from '../formats/name-bytes.js';
import { Column } from './column.js';
import type { Strings } from './strings.js';

const XATTR_LIMIT = 1 << 26;
/** Names worth keeping to store them once: layers use a handful. */
const NAMES_KEPT = 1024;

/** Extended attributes, those of one node in a row. */
export class Xattrs {
  count = 0;
  readonly name = new Column(Uint32Array, XATTR_LIMIT);
  readonly nameLength = new Column(Uint16Array, XATTR_LIMIT);
  readonly value = new Column(Uint32Array, XATTR_LIMIT);
  readonly valueLength = new Column(Uint32Array, XATTR_LIMIT);

  readonly #columns = [this.name, this.nameLength, this.value, this.valueLength];
  readonly #strings: Strings;
  readonly #names = new Map<string, number>();

  constructor(strings: Strings) {
    this.#strings = strings;
  }

  add({ name, value }: Xattr): void {
    if (this.count === XATTR_LIMIT) {
      throw new LayerFault(`holds more than ${XATTR_LIMIT} xattrs`);
    }
    for (const column of this.#columns) {
      column.reserve(this.count + 1);
    }
    this.name.at[this.count] = this.#placeOfName(name);
    this.nameLength.at[this.count] = nameLength(name);
    this.value.at[this.count] = this.#strings.add(value);
    this.valueLength.at[this.count] = value.length;
    this.count++;
  }

  #placeOfName(name: string): number {
    let place = this.#names.get(name);
    if (place === undefined) {
      const bytes = bytesOfName(name);
      place = this.#strings.add(bytes);
      if (this.#names.size < NAMES_KEPT) {
        this.#names.set(name, place);
      }
    }
    return place;
  }

  get memory(): number {
    return this.#columns.reduce((sum, column) => sum + column.memory, 0);
  }

  release(): void {
    for (const column of this.#columns) {
      column.release();
    }
  }
}
