// SPDX-License-Identifier: GPL-3.0-or-later

import { Blocks } from '../../main/fetch/blocks.js';
import { IndexReader } from '../../main/index/reader.js';
import { spanOf } from '../../main/index/span.js';
import { addon } from '../../native/addon.js';
import type { StoredLayer } from '../decode/member-reader.js';
import type { LayerFacts } from '../messages.js';

/** A layer that this worker serves. */
export class ServedLayer implements StoredLayer {
  readonly number: number;
  readonly name: string;
  readonly blobFd: number;
  readonly tocOffset: number;
  readonly regions: Uint8Array;
  readonly index: IndexReader;
  readonly #mapping: ArrayBuffer;
  readonly #blocks: Blocks | undefined;
  /** What arrives of it is filled: nobody need guess what to fill. */
  readonly isFilledAsItComes: boolean;

  constructor({ number, name, indexFd, blobFd, tocOffset, blocks, isHere, regions }: LayerFacts) {
    this.number = number;
    this.name = name;
    this.blobFd = blobFd;
    this.tocOffset = tocOffset;
    this.regions = new Uint8Array(regions);
    this.#mapping = addon.map(indexFd, false);
    this.index = new IndexReader(this.#mapping);
    this.#blocks = blocks && new Blocks(blocks);
    this.isFilledAsItComes = !isHere;
  }

  /** Whether the blob is fetched as it is needed. */
  get isRemote(): boolean {
    return this.#blocks !== undefined;
  }

  /** Whether a number that came through a ring names a file with content. */
  hasContent(inode: number): boolean {
    return inode < this.index.inodes && this.index.isFile(inode) && this.index.chunkCount(inode) > 0;
  }

  /** Whether the chunks of a file can be read from the blob's file now. */
  has(inode: number): boolean {
    return this.hasChunks(this.index.chunkFirst(inode), this.index.chunkCount(inode));
  }

  /** Whether these chunks of the layer can. */
  hasChunks(first: number, count: number): boolean {
    const blocks = this.#blocks;
    return !blocks || this.#ranges(first, count).every((range) => blocks.covers(...range));
  }

  /** Whether the chunks of a file are filled, and read, one by one. */
  isChunked(inode: number): boolean {
    return this.index.chunkCount(inode) > 1 && !this.index.isCheckedWhole(inode);
  }

  /** The bytes of some chunks are wrong. Returns whether to ask for them again: they are fetched anew then. */
  doubt(first: number, count: number): boolean {
    const blocks = this.#blocks;
    return blocks !== undefined && this.#ranges(first, count).filter((range) => blocks.doubt(...range)).length > 0;
  }

  isFinal(first: number, count: number): boolean {
    const blocks = this.#blocks;
    return !blocks || this.#ranges(first, count).every((range) => blocks.isFinal(...range));
  }

  /** It cannot be used any more. */
  close(): void {
    addon.unmap(this.#mapping);
  }

  /** Where the bytes of some chunks lie in the blob. */
  #ranges(first: number, count: number): [offset: number, end: number][] {
    const chunks = Array.from({ length: count }, (_, n) => first + n).filter((chunk) => !this.index.isZeros(chunk));
    return chunks.map((chunk) => spanOf(this, chunk));
  }
}
