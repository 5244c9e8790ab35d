// SPDX-License-Identifier: GPL-3.0-or-later

import type { Entry } from '../formats/entry.js';
import { LayerFault, quote } from '../formats/fault.js';
import { CHUNK_LIMIT, ChunkColumns } from './chunk-columns.js';
import { Column } from './column.js';
import type { Nodes } from './nodes.js';
import { ObjectKeys, type RegularFile } from './object-keys.js';

/** The content of regular files: where its chunks lie in the blob, and how to check them. */
export class Contents {
  readonly chunks = new ChunkColumns();

  /** Offsets in the blob at which other things start: a member before one of them ends there. */
  readonly otherOffsets = new Column(Float64Array, CHUNK_LIMIT);
  otherCount = 0;
  /** The offset of the chunk that came last. */
  #lastOffset = 0;

  readonly #nodes: Nodes;
  readonly #tocOffset: number;
  readonly #keys: ObjectKeys;
  /** The file whose chunks are coming in. */
  #file: RegularFile | null = null;

  constructor(nodes: Nodes, tocOffset: number, blobIdentity: string) {
    this.#nodes = nodes;
    this.#tocOffset = tocOffset;
    this.#keys = new ObjectKeys(nodes, this.chunks, blobIdentity);
  }

  /** Whether some file has no digest that its bytes could be checked against. */
  get unverified(): boolean {
    return this.#keys.unverified;
  }

  /** Takes the entry of a regular file; its node keeps which chunks are its own. */
  addFile(node: number, entry: Entry): void {
    this.close();
    const { path, size, digest } = entry;
    this.#file = { node, path, size, digest };
    this.addOffset(entry.endOffset);
    this.#nodes.size.at[node] = size;
    this.#nodes.first.at[node] = this.chunks.count;
    if (size > 0) {
      this.addChunk(entry);
    } else {
      this.addOffset(entry.offset);
    }
  }

  /** Takes one chunk of the file that came last. */
  addChunk(entry: Entry): void {
    const file = this.#file;
    if (file === null) {
      throw new LayerFault('a chunk stands before any regular file');
    }
    const { innerOffset, chunkOffset, chunkDigest, isZeros } = entry;
    const offset = isZeros && entry.offset === 0 ? this.#lastOffset : entry.offset;
    const size = entry.chunkSize > 0 ? entry.chunkSize : file.size - chunkOffset;
    if (offset === 0 && innerOffset === 0 && !isZeros) {
      throw new LayerFault(`file ${quote(file.path)}: has content, but no offset in the blob`);
    }
    if (offset >= this.#tocOffset) {
      throw new LayerFault(`file ${quote(file.path)}: starts at ${offset}, not before the TOC at ${this.#tocOffset}`);
    }
    if (size <= 0 || chunkOffset + size > file.size) {
      throw new LayerFault(`file ${quote(file.path)}: the chunk at ${chunkOffset} leaves its ${file.size} bytes`);
    }
    const chunk = this.chunks.add(offset, innerOffset, chunkOffset, size);
    this.chunks.zeros.at[chunk] = Number(isZeros);
    this.#lastOffset = offset;
    if (size === file.size) {
      this.#keys.ofOnlyChunk(file, chunk, chunkDigest);
    } else if (chunkDigest !== '') {
      this.chunks.setDigest(chunk, chunkDigest);
    }
  }

  /** Remembers that something starts at this offset of the blob; 0 is none. */
  addOffset(offset: number): void {
    if (offset > 0 && this.otherCount < CHUNK_LIMIT) {
      this.otherOffsets.reserve(this.otherCount + 1);
      this.otherOffsets.at[this.otherCount++] = offset;
    }
  }

  /** The file that came last has all its chunks. Throws LayerFault if they do not cover it, each byte once. */
  close(): void {
    const file = this.#file;
    if (file === null) {
      return;
    }
    this.#file = null;
    const first = this.#nodes.first.at[file.node] as number;
    this.chunks.sort(first);
    let covered = 0;
    for (let chunk = first; chunk < this.chunks.count; chunk++) {
      const start = this.chunks.fileOffset.at[chunk] as number;
      if (start !== covered) {
        throw new LayerFault(
          `file ${quote(file.path)}: ${start > covered ? 'no' : 'more than one'} chunk for byte ${Math.min(start, covered)}`,
        );
      }
      covered += this.chunks.size.at[chunk] as number;
    }
    if (covered !== file.size) {
      throw new LayerFault(`file ${quote(file.path)}: no chunk for byte ${covered}`);
    }
    this.#nodes.length.at[file.node] = this.chunks.count - first;
    if (file.size === 0) {
      this.#nodes.first.at[file.node] = 0; // it has none, whatever number the next chunk would have had
    }
    if (this.chunks.count - first !== 1) {
      this.#keys.ofChunks(file, first, this.chunks.count);
    }
  }

  get memory(): number {
    return this.chunks.memory + this.otherOffsets.memory;
  }

  release(): void {
    this.chunks.release();
    this.otherOffsets.release();
  }
}
