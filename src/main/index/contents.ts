// SPDX-License-Identifier: GPL-3.0-or-later

import type { Entry } from '../formats/entry.js';
import { LayerFault, quote } from '../formats/fault.js';
import { Column } from './column.js';
import type { Nodes } from './nodes.js';
import { ObjectKeys } from './object-keys.js';

/** Chunks of a layer: at the usual 4 MiB a chunk, 256 TiB of large files. */
const CHUNK_LIMIT = 1 << 26;
const DIGEST_BYTES = 32;

/** The regular file whose chunks are coming in. */
interface OpenFile {
  readonly node: number;
  readonly path: string;
  readonly size: number;
  readonly digest: string;
}

/** The content of regular files: where its chunks lie in the blob, and how to check them. */
export class Contents {
  count = 0;
  readonly offset = new Column(Float64Array, CHUNK_LIMIT);
  readonly inner = new Column(Float64Array, CHUNK_LIMIT);
  readonly fileOffset = new Column(Float64Array, CHUNK_LIMIT);
  readonly size = new Column(Float64Array, CHUNK_LIMIT);
  /** 1 + index into digests, or 0. */
  readonly digest = new Column(Uint32Array, CHUNK_LIMIT);

  readonly digests = new Column(Uint8Array, CHUNK_LIMIT * DIGEST_BYTES);
  digestCount = 0;

  /** Offsets at which something else starts, and so a member before it ends. */
  readonly otherOffsets = new Column(Float64Array, CHUNK_LIMIT);
  otherCount = 0;

  readonly #columns = [this.offset, this.inner, this.fileOffset, this.size, this.digest];
  readonly #all = [...this.#columns, this.digests, this.otherOffsets];
  readonly #nodes: Nodes;
  readonly #tocOffset: number;
  readonly #keys: ObjectKeys;
  #file: OpenFile | null = null;

  constructor(nodes: Nodes, tocOffset: number, blobIdentity: string) {
    this.#nodes = nodes;
    this.#tocOffset = tocOffset;
    this.#keys = new ObjectKeys(nodes, this, blobIdentity);
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
    this.#nodes.size.at[node] = size;
    this.#nodes.first.at[node] = this.count;
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
    const { offset, innerOffset, chunkOffset, chunkDigest } = entry;
    const size = entry.chunkSize > 0 ? entry.chunkSize : file.size - chunkOffset;
    if (offset === 0 && innerOffset === 0) {
      throw new LayerFault(`file ${quote(file.path)}: has content, but no offset in the blob`);
    }
    if (offset >= this.#tocOffset) {
      throw new LayerFault(`file ${quote(file.path)}: starts at ${offset}, not before the TOC at ${this.#tocOffset}`);
    }
    if (size <= 0 || chunkOffset + size > file.size) {
      throw new LayerFault(`file ${quote(file.path)}: the chunk at ${chunkOffset} leaves its ${file.size} bytes`);
    }
    const chunk = this.#add();
    this.offset.at[chunk] = offset;
    this.inner.at[chunk] = innerOffset;
    this.fileOffset.at[chunk] = chunkOffset;
    this.size.at[chunk] = size;
    if (size === file.size) {
      this.#keys.ofOnlyChunk(file, chunk, chunkDigest);
    } else if (chunkDigest !== '') {
      this.digest.at[chunk] = this.#addDigest(chunkDigest);
    }
  }

  #add(): number {
    if (this.count === CHUNK_LIMIT) {
      throw new LayerFault(`holds more than ${CHUNK_LIMIT} chunks`);
    }
    for (const column of this.#columns) {
      column.reserve(this.count + 1);
    }
    return this.count++;
  }

  #addDigest(digest: string): number {
    this.digests.reserve((this.digestCount + 1) * DIGEST_BYTES);
    this.digests.at.set(Buffer.from(digest, 'hex'), this.digestCount * DIGEST_BYTES);
    return ++this.digestCount;
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
    this.#sort(first);
    let covered = 0;
    for (let chunk = first; chunk < this.count; chunk++) {
      const start = this.fileOffset.at[chunk] as number;
      if (start !== covered) {
        throw new LayerFault(
          `file ${quote(file.path)}: ${start > covered ? 'no' : 'more than one'} chunk for byte ${Math.min(start, covered)}`,
        );
      }
      covered += this.size.at[chunk] as number;
    }
    if (covered !== file.size) {
      throw new LayerFault(`file ${quote(file.path)}: no chunk for byte ${covered}`);
    }
    this.#nodes.length.at[file.node] = this.count - first;
    if (file.size === 0) {
      this.#nodes.first.at[file.node] = 0; // no place that chunks left out of the index could move
    }
    if (this.count - first !== 1) {
      this.#keys.ofChunks(file, first, this.count);
    }
  }

  /** Brings the chunks from `first` on into the order of the file, if they are not. */
  #sort(first: number): void {
    const starts = this.fileOffset.at;
    let sorted = true;
    for (let chunk = first + 1; sorted && chunk < this.count; chunk++) {
      sorted = (starts[chunk - 1] as number) <= (starts[chunk] as number);
    }
    if (sorted) {
      return;
    }
    const order = Uint32Array.from({ length: this.count - first }, (_, i) => first + i);
    order.sort((a, b) => (starts[a] as number) - (starts[b] as number));
    for (const { at } of this.#columns) {
      at.set(
        Array.from(order, (chunk) => at[chunk] as number),
        first,
      );
    }
  }

  get memory(): number {
    return this.#all.reduce((sum, column) => sum + column.memory, 0);
  }

  release(): void {
    for (const column of this.#all) {
      column.release();
    }
  }
}
