// SPDX-License-Identifier: GPL-3.0-or-later

import { checkDigest } from '../../main/index/check-digest.js';
import { addon } from '../../native/addon.js';
import { type MemberReader, SLACK } from '../decode/member-reader.js';
import type { Filling } from './filling.js';
import type { Store } from './store.js';

/** Chunks from this size on may be inflated straight into the mapped object; below, writing them is cheaper. */
const MAP_FROM = 256 << 10;
/** So many are mapped before it is tried what that costs: whoever reads here and there waits for neither the try nor new buffers. */
const MAPPED_ANYWAY = 3;
/** A multiple of the size of a page, on every machine. */
const MAP_ALIGNMENT = 64 << 10;
/** Up to so many zeros are held against their digest. Of more, which would take long, the name of the object tells what it is. */
const CHECKED_ZEROS = 64 << 20;

/** Brings the content of chunks into the files of jobs and into drafts, checked. */
export class ChunkFiller {
  readonly #store: Store;
  readonly #members: MemberReader;
  /** Chunks that were large enough to be mapped, so far. */
  #large = 0;
  /** Whether writing is cheaper for larger ones, too, as on a virtual machine within another one; undefined: not known yet. */
  #isMappingDear: boolean | undefined;

  constructor(store: Store, members: MemberReader) {
    this.#store = store;
    this.#members = members;
  }

  /** Fills a chunk of the layer. Throws CRFS_DIGEST, CRFS_BAD_LAYER, CRFS_NO_SPACE, and what the file system throws. */
  fill(filling: Filling, chunk: number): void {
    const { layer } = filling;
    if (layer.index.isZeros(chunk)) this.#clear(filling, chunk);
    else if (this.#isToBeMapped(filling, chunk)) this.#map(filling, chunk);
    else this.#write(filling, chunk);
  }

  /** Tries what new pages cost, with a chunk that has room for that. What takes too much memory to be written is mapped. */
  #isToBeMapped({ layer, fd, chunks, size }: Filling, chunk: number): boolean {
    const chunkSize = layer.index.chunkSize(chunk);
    if (chunkSize < MAP_FROM || !this.#members.maps(layer, chunk)) return false;
    if (!this.#members.fits(layer, chunk) || this.#large++ < MAPPED_ANYWAY) return true;
    const offset = layer.index.chunkFileOffset(chunk);
    const from = Math.ceil(offset / MAP_ALIGNMENT) * MAP_ALIGNMENT;
    if (this.#isMappingDear === undefined && from + addon.newPagesTried <= offset + chunkSize) {
      if (chunks === 1) this.#store.resize(fd, size);
      this.#isMappingDear = addon.isMappingDear(fd, from) ?? undefined;
    }
    return this.#isMappingDear !== true;
  }

  /** A chunk of zeros takes no space, where the file system can have that. */
  #clear(filling: Filling, chunk: number): void {
    const { layer, fd, chunks, size } = filling;
    if (chunks === 1) this.#store.resize(fd, size);
    const length = layer.index.chunkSize(chunk);
    if (!addon.punch(fd, layer.index.chunkFileOffset(chunk), length)) this.#write(filling, chunk);
    else if (length <= CHECKED_ZEROS) check(filling, chunk, this.#members.pieces(layer, chunk));
  }

  /**
   * Inflates a chunk into the mapped object: into that part alone, since V8 collects garbage for each large buffer that it
   * is shown. Only the last one finds room behind it: the slack.
   */
  #map(filling: Filling, chunk: number): void {
    const { layer, fd, chunks } = filling;
    const offset = layer.index.chunkFileOffset(chunk);
    const size = layer.index.chunkSize(chunk);
    if (chunks === 1) this.#store.resize(fd, size + SLACK);
    const room = offset + size === filling.size ? size + SLACK : size;
    const inPage = offset % MAP_ALIGNMENT;
    const mapping = addon.map(fd, true, offset - inPage, inPage + room);
    try {
      this.#members.contentInto(layer, chunk, new Uint8Array(mapping, inPage, room));
      check(filling, chunk, new Uint8Array(mapping, inPage, size));
    } finally {
      addon.unmap(mapping);
      if (chunks === 1) this.#store.resize(fd, size);
    }
  }

  #write(filling: Filling, chunk: number): void {
    const { layer, fd } = filling;
    const offset = layer.index.chunkFileOffset(chunk);
    if (this.#members.fits(layer, chunk)) {
      const content = this.#members.content(layer, chunk);
      check(filling, chunk, content);
      this.#store.write(fd, content, offset);
    } else check(filling, chunk, this.#writing(fd, offset, this.#members.pieces(layer, chunk)));
  }

  /** Writes each piece as it hands it on. */
  *#writing(fd: number, offset: number, pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
    let at = offset;
    for (const piece of pieces) {
      this.#store.write(fd, piece, at);
      at += piece.length;
      yield piece;
    }
  }
}

/** Holds a chunk against its digest, where it has one, or is all of a file that has. Consumes `content` in any case. */
function check({ layer, inode, chunks }: Filling, chunk: number, content: Uint8Array | Iterable<Uint8Array>): void {
  const only = chunks === 1;
  const digest = layer.index.chunkDigest(chunk) ?? (only ? layer.index.fileDigest(inode) : null);
  if (digest) checkDigest(content, digest, only ? 'the content' : `the chunk at ${layer.index.chunkFileOffset(chunk)}`);
  else if (!(content instanceof Uint8Array)) for (const _ of content);
}
