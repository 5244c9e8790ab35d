// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, fstatSync, readSync, statSync, writeSync } from 'node:fs';
import { addon } from '../../native/addon.js';

const { chunkThere } = addon.layout.constants;
const THERE = Buffer.of(chunkThere);

/** The length of the draft of a file of `size` bytes in so many chunks. */
export function draftLength(size: number, chunks: number): number {
  return addon.draftMap(size) + chunks;
}

/** An open draft: a file of several chunks that is being filled, a chunk at a time, by whoever wants it. csrc/shared/draft.h */
export class Draft {
  readonly fd: number;
  readonly #map: number;
  readonly #chunks: number;
  readonly #byte = Buffer.alloc(1);

  /** Takes over the descriptor of the draft of a file of `size` bytes in so many chunks. */
  constructor(fd: number, size: number, chunks: number) {
    this.fd = fd;
    this.#map = addon.draftMap(size);
    this.#chunks = chunks;
  }

  /** Whether a chunk, counted from the file's first, is there. A map that is cut off says so of all. */
  has(chunk: number): boolean {
    return readSync(this.fd, this.#byte, 0, 1, this.#map + chunk) === 0 || this.#byte[0] === chunkThere;
  }

  /** Has `fill` bring in a chunk, checked, unless it is there. Waits while somebody else is at it. */
  fillOnce(chunk: number, fill: () => void): void {
    if (this.has(chunk)) return;
    addon.lockByte(this.fd, this.#map + chunk);
    try {
      if (this.has(chunk)) return;
      fill();
      writeSync(this.fd, THERE, 0, 1, this.#map + chunk);
    } finally {
      addon.unlockByte(this.fd, this.#map + chunk);
    }
  }

  /** Calls `publish` if all chunks are there and nobody did so before, nor took the draft's name away. */
  publishOnce(publish: () => void): void {
    if (!this.#hasAll()) return;
    addon.lockByte(this.fd, this.#map + this.#chunks);
    const { nlink, size } = fstatSync(this.fd);
    if (nlink > 0 && size === this.#map + this.#chunks) publish();
  }

  /**
   * Whether a draft without a map, opened at `path`, has become the object. Waits for whoever is about to make it that; if
   * nobody is, keeps others from it until it is closed.
   */
  isPublished(path: string): boolean {
    addon.lockByte(this.fd, this.#map + this.#chunks);
    if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(this.fd).ino) return false;
    addon.unlockByte(this.fd, this.#map + this.#chunks);
    return true;
  }

  close(): void {
    closeSync(this.fd);
  }

  #hasAll(): boolean {
    if (!this.has(0) || !this.has(this.#chunks - 1)) return false; // most readers go from front to back
    const map = Buffer.alloc(this.#chunks);
    const length = readSync(this.fd, map, 0, map.length, this.#map);
    return length === map.length && map.every((byte) => byte === chunkThere);
  }
}
