// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { blocksOf } from '../disk/cache-layout.js';
import { BLOCK, Blocks } from './blocks.js';

/** The files in use, by path. */
const inUse = new Map<string, BlobFile>();

const OPEN = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/**
 * What was fetched of a blob, in the cache: a sparse file of the blob's size, and beside it one with a byte per block that
 * says which are there. A block is written before it is noted.
 */
export class BlobFile {
  readonly fd: number;
  readonly size: number;
  readonly blocks: Blocks;
  readonly #path: string;
  readonly #mapFd: number;
  #users = 1;

  /**
   * Opens the file `path` and the one of its blocks, or makes them. All who have them open have the same object: each sees at
   * once what others store. Throws what the file system throws.
   */
  static open(path: string, size: number): BlobFile {
    const known = inUse.get(path);
    if (known?.size !== size) return new BlobFile(path, size);
    known.#users++;
    return known;
  }

  private constructor(path: string, size: number) {
    this.#path = path;
    this.size = size;
    this.blocks = Blocks.of(size);
    this.fd = openSync(path, OPEN, 0o600);
    this.#mapFd = openSync(blocksOf(path), OPEN, 0o600);
    const isMapOfIt = fstatSync(this.fd).size === size && fstatSync(this.#mapFd).size === this.blocks.count;
    if (isMapOfIt) this.#remember();
    else ftruncateSync(this.#mapFd, 0); // of another file, or of blocks of another size
    ftruncateSync(this.#mapFd, this.blocks.count);
    ftruncateSync(this.fd, size);
    inUse.set(path, this);
  }

  /** Bytes from here to the end of the block, or of the blob. */
  blockLength(block: number): number {
    return Math.min(BLOCK, this.size - block * BLOCK);
  }

  /** Stores one block. `bytes` has its full length. */
  store(block: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.fd, bytes, done, bytes.length - done, block * BLOCK + done);
    }
    this.blocks.add(block);
    writeSync(this.#mapFd, Uint8Array.of(1), 0, 1, block);
  }

  /** To be called once by each who opened it. */
  close(): void {
    if (--this.#users > 0) return;
    if (inUse.get(this.#path) === this) inUse.delete(this.#path);
    closeSync(this.fd);
    closeSync(this.#mapFd);
  }

  #remember(): void {
    const map = Buffer.alloc(this.blocks.count);
    readSync(this.#mapFd, map, 0, map.length, 0);
    for (const [block, present] of map.entries()) if (present === 1) this.blocks.add(block);
  }
}
