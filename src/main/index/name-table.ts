// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';
import { bytesOfName, nameOfBytes } from '../formats/name-bytes.js';
import { placeEnd, placeOver, placeStart, tagEnd, tagOver, tagStart } from './hash.js';

const { index: HEADER, dirent: DIRENT, slot: SLOT, table: TABLE } = addon.layout;

/** The names of an index: its dirents, told by their numbers, and the slots that find them by the hash of their path. */
export class NameTable {
  readonly #bytes: Buffer;
  readonly #dirents: number;
  readonly #slots: number;
  readonly #slotCount: number;
  readonly #probes: number;
  readonly #strings: number;
  readonly #hashSeed: number;

  /** Over a sound index. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#dirents = Number(bytes.readBigUInt64LE(HEADER.dirents + TABLE.offset));
    this.#slots = Number(bytes.readBigUInt64LE(HEADER.slots + TABLE.offset));
    this.#slotCount = Number(bytes.readBigUInt64LE(HEADER.slots + TABLE.count));
    this.#probes = bytes.readUInt32LE(HEADER.probes);
    this.#strings = Number(bytes.readBigUInt64LE(HEADER.strings + TABLE.offset));
    this.#hashSeed = bytes.readUInt32LE(HEADER.hashSeed);
  }

  /** The inode at a clean path that is not the root's; -1: there is none. */
  find(path: string): number {
    const bytes = bytesOfName(path);
    const place = placeEnd(placeOver(placeStart(this.#hashSeed), bytes, 0, bytes.length));
    const tag = tagEnd(tagOver(tagStart(this.#hashSeed), bytes, 0, bytes.length));
    for (let probe = 0; probe < this.#probes; probe++) {
      const slot = this.#slots + ((place + probe) % this.#slotCount) * SLOT.bytes;
      const dirent = this.#bytes.readUInt32LE(slot + SLOT.dirent);
      if (dirent === 0) return -1;
      const isLike = this.#bytes.readUInt32LE(slot + SLOT.tag) === tag;
      if (isLike && this.#pathBytes(dirent - 1).equals(bytes)) return this.inode(dirent - 1);
    }
    return -1;
  }

  path(dirent: number): string {
    return nameOfBytes(this.#pathBytes(dirent));
  }

  inode(dirent: number): number {
    return this.#bytes.readUInt32LE(this.#dirents + dirent * DIRENT.bytes + DIRENT.inode);
  }

  #pathBytes(dirent: number): Buffer {
    const at = this.#dirents + dirent * DIRENT.bytes;
    const start = this.#strings + this.#bytes.readUInt32LE(at + DIRENT.path);
    return this.#bytes.subarray(start, start + this.#bytes.readUInt16LE(at + DIRENT.pathLength));
  }
}
