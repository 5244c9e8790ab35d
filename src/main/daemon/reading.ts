// SPDX-License-Identifier: GPL-3.0-or-later

import { BLOCK } from '../fetch/blocks.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import { FirstRead } from '../plain/first-read.js';

/** How far a layer without a TOC has come that is just being read as a whole. Bytes of its blob. */
export interface Reading {
  readonly name: string;
  readonly size: number;
  /** Of a remote blob. */
  readonly fetched: number | null;
  readonly read: number;
}

/** A layer that is just being opened. */
export class Opening {
  readonly read = new FirstRead();
  readonly #name: string;
  readonly #blob: LayerBlob;

  constructor(name: string, blob: LayerBlob) {
    this.#name = name;
    this.#blob = blob;
  }

  /** undefined: its TOC was read, or will be, as far as that is known. */
  get reading(): Reading | undefined {
    const { size, remote } = this.#blob;
    if (!this.read.hasBegun) return undefined;
    const fetched = remote === undefined ? null : Math.min(size, remote.blocks.present * BLOCK);
    return { name: this.#name, size, fetched, read: this.read.bytes };
  }
}
