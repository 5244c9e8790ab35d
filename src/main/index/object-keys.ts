// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { EMPTY_HEX } from '../blob/digest.js';
import { LayerFault, quote } from '../formats/fault.js';
import type { ChunkColumns } from './chunk-columns.js';
import { CHECKED_WHOLE, KEY_IS_DIGEST, KEY_WORDS, type Nodes, SUMMED } from './nodes.js';
import { digestOfChunks, type NamedChunk } from './object-name.js';

/** What the TOC tells of a regular file. */
export interface RegularFile {
  readonly node: number;
  readonly path: string;
  readonly size: number;
  /** sha256 in hex, or ''. */
  readonly digest: string;
}

/**
 * Names the objects of regular files. A file of one chunk by the sha256 of its content; one of several by the digests of
 * all of them, so that each can be checked by itself (zeros by how many they are: no digest can make them others), or else, where the TOC lacks one of these, by the sha256 of the
 * content; and with nothing to check the bytes against, by the place in this very blob, so that no two blobs share it.
 */
export class ObjectKeys {
  unverified = false;
  readonly #nodes: Nodes;
  readonly #chunks: ChunkColumns;
  readonly #blobIdentity: string;

  constructor(nodes: Nodes, chunks: ChunkColumns, blobIdentity: string) {
    this.#nodes = nodes;
    this.#chunks = chunks;
    this.#blobIdentity = blobIdentity;
  }

  /** Of a file that is one chunk. Throws LayerFault if the TOC tells two digests of the same bytes. */
  ofOnlyChunk(file: RegularFile, chunk: number, chunkDigest: string): void {
    if (file.digest !== '' && chunkDigest !== '' && file.digest !== chunkDigest) {
      throw new LayerFault(`file ${quote(file.path)}: its digest differs from that of its only chunk`);
    }
    const digest = file.digest === '' ? chunkDigest : file.digest;
    if (this.#chunks.zeros.at[chunk] === 1) {
      if (digest !== '') this.#chunks.setDigest(chunk, digest);
      this.#setKey(file, this.#digestOfChunks(chunk, chunk + 1));
    } else if (digest === '') {
      this.#setUnverified(file, chunk, chunk + 1);
    } else {
      this.#setDigest(file, digest);
    }
  }

  /** Of a file of no chunk, or of several: [first, end). */
  ofChunks(file: RegularFile, first: number, end: number): void {
    if (file.size === 0 && file.digest !== '' && file.digest !== EMPTY_HEX) {
      throw new LayerFault(`file ${quote(file.path)}: is empty, and its digest is not that of no bytes`);
    }
    if (file.size === 0) {
      this.#setDigest(file, EMPTY_HEX);
    } else if (this.#isKnown(first, end)) {
      this.#setKey(file, this.#digestOfChunks(first, end));
      const hasDigests = this.#chunks.digest.at.subarray(first, end).some((number) => number !== 0);
      if (file.digest === '' || !hasDigests) return;
      this.#chunks.addDigest(file.digest);
      this.#setFlag(file, SUMMED);
    } else if (file.digest !== '') {
      this.#setDigest(file, file.digest);
      this.#setFlag(file, CHECKED_WHOLE);
    } else {
      this.#setUnverified(file, first, end);
    }
  }

  /** Whether each chunk has a digest, or is zeros. */
  #isKnown(first: number, end: number): boolean {
    const { digest, zeros } = this.#chunks;
    return digest.at.subarray(first, end).every((number, n) => number !== 0 || zeros.at[first + n] === 1);
  }

  #digestOfChunks(first: number, end: number): string {
    return digestOfChunks(this.#chunksFrom(first, end));
  }

  *#chunksFrom(first: number, end: number): Generator<NamedChunk> {
    const { size, zeros } = this.#chunks;
    for (let chunk = first; chunk < end; chunk++) {
      const digest = zeros.at[chunk] === 1 ? undefined : this.#chunks.digestOf(chunk);
      yield { size: size.at[chunk] as number, digest };
    }
  }

  #setDigest(file: RegularFile, digest: string): void {
    this.#setFlag(file, KEY_IS_DIGEST);
    this.#setKey(file, digest);
  }

  #setFlag(file: RegularFile, flag: number): void {
    const flags = this.#nodes.flags.at;
    flags[file.node] = (flags[file.node] as number) | flag;
  }

  #setUnverified(file: RegularFile, first: number, end: number): void {
    this.unverified = true;
    const hash = createHash('sha256').update(`crfs-unverified\0${this.#blobIdentity}\0`);
    const { offset, inner, size, zeros } = this.#chunks;
    for (let chunk = first; chunk < end; chunk++) {
      hash.update([offset, inner, size, zeros].map(({ at }) => at[chunk]).join(' ')).update('\0');
    }
    this.#setKey(file, hash.digest('hex'));
  }

  #setKey(file: RegularFile, hex: string): void {
    for (let word = 0; word < KEY_WORDS; word++) {
      this.#nodes.key.at[file.node * KEY_WORDS + word] = wordOf(hex, word * 8);
    }
  }
}

/** The little-endian word that eight lower-case hex digits from `at` on spell. */
function wordOf(hex: string, at: number): number {
  let word = 0;
  for (let i = 6; i >= 0; i -= 2) {
    word = (word << 8) | (nibble(hex.charCodeAt(at + i)) << 4) | nibble(hex.charCodeAt(at + i + 1));
  }
  return word;
}

function nibble(digit: number): number {
  return (digit & 0xf) + (digit >> 6) * 9;
}
