// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault } from '../formats/fault.js';
import { Column } from './column.js';

/** Chunks of a layer: at the usual 4 MiB a chunk, 256 TiB of large files. */
export const CHUNK_LIMIT = 1 << 26;
const DIGEST_BYTES = 32;

/** Where the chunks of regular files lie, in columns. Those of one file stand together. */
export class ChunkColumns {
  count = 0;
  /** Where in the blob the chunk's gzip member, or its first zstd frame, starts. */
  readonly offset = new Column(Float64Array, CHUNK_LIMIT);
  /** Where in the member's output the chunk starts. */
  readonly inner = new Column(Float64Array, CHUNK_LIMIT);
  /** Where in the file the chunk starts. */
  readonly fileOffset = new Column(Float64Array, CHUNK_LIMIT);
  /** Bytes. */
  readonly size = new Column(Float64Array, CHUNK_LIMIT);
  /** 1 + the number of its digest, or 0: it has none. */
  readonly digest = new Column(Uint32Array, CHUNK_LIMIT);
  /** 1: it is zeros, for which the blob is not read. */
  readonly zeros = new Column(Uint8Array, CHUNK_LIMIT);

  /** The sha256 of chunks that have one, 32 bytes each. */
  readonly digests = new Column(Uint8Array, CHUNK_LIMIT * DIGEST_BYTES);
  digestCount = 0;

  readonly #columns = [this.offset, this.inner, this.fileOffset, this.size, this.digest, this.zeros];
  readonly #all = [...this.#columns, this.digests];

  /** Returns the number of a chunk that has no digest yet. Throws LayerFault if there are too many. */
  add(offset: number, inner: number, fileOffset: number, size: number): number {
    if (this.count === CHUNK_LIMIT) {
      throw new LayerFault(`holds more than ${CHUNK_LIMIT} chunks`);
    }
    for (const column of this.#columns) {
      column.reserve(this.count + 1);
    }
    this.offset.at[this.count] = offset;
    this.inner.at[this.count] = inner;
    this.fileOffset.at[this.count] = fileOffset;
    this.size.at[this.count] = size;
    return this.count++;
  }

  /** `digest`: a sha256 in hex. */
  setDigest(chunk: number, digest: string): void {
    this.addDigest(digest);
    this.digest.at[chunk] = this.digestCount;
  }

  /** Adds a digest behind all others. */
  addDigest(digest: string): void {
    this.digests.reserve((this.digestCount + 1) * DIGEST_BYTES);
    this.digests.at.set(Buffer.from(digest, 'hex'), this.digestCount * DIGEST_BYTES);
    this.digestCount++;
  }

  /** The 32 bytes of the digest of a chunk that has one. */
  digestOf(chunk: number): Uint8Array {
    const at = ((this.digest.at[chunk] as number) - 1) * DIGEST_BYTES;
    return this.digests.at.slice(at, at + DIGEST_BYTES);
  }

  /** Brings the chunks from `first` on, all of one file, into the order of the file, if they are not. */
  sort(first: number): void {
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
