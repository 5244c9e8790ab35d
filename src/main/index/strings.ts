// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault } from '../formats/fault.js';
import { Column } from './column.js';

const STRINGS_LIMIT = 2 ** 32 - 1; // places in the index are 32 bits wide

/** Bytes of texts, one after the other. */
export class Strings {
  readonly bytes = new Column(Uint8Array, STRINGS_LIMIT);
  length = 0;

  /** Appends a text; returns its place. */
  add(text: Uint8Array): number {
    const place = this.length;
    this.length += text.length;
    if (this.length > STRINGS_LIMIT) {
      throw new LayerFault('paths, targets and xattrs take more than 4 GiB');
    }
    this.bytes.reserve(this.length);
    this.bytes.at.set(text, place);
    return place;
  }

  get memory(): number {
    return this.bytes.memory;
  }

  release(): void {
    this.bytes.release();
  }
}
