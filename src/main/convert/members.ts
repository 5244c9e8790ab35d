// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Cuts a tar into gzip members, or zstd frames, and has them deflated by the pool, several batches of members at a time, written in order.
 * Where members start depends on the tar and the options alone, never on the workers.
 */

import { createHash } from 'node:crypto';
import type { DeflateResult } from '../../workers/deflate/task.js';
import type { BlobSink } from '../blob/sink.js';
import type { Deflater } from './deflater.js';

/** A part of a file: where it starts in the file, and, once its member is written, where it is and its digest. */
export interface Chunk {
  readonly fileOffset: number;
  readonly size: number;
  /** Of the member, in the blob. */
  offset: number;
  /** Where the member ends. */
  end: number;
  /** Of the chunk, in what the member inflates to. */
  innerOffset: number;
  /** SHA-256 in hexadecimal digits; undefined until the member is written. */
  digest: string | undefined;
}

/** A batch goes to a worker when it has this many bytes: tasks much smaller would cost more than the work in them. */
const BATCH_SIZE = 1024 * 1024;
/** Headers behind a chunk share its member, up to so many bytes. */
const TAIL_LIMIT = 1024 * 1024;
/** Room in a buffer for headers and padding beside a batch or a chunk; where it is too little, the buffer grows. */
const SLACK = 128 * 1024;
const DIGEST_BYTES = 32;

/** A chunk in a batch. */
interface Placed {
  readonly chunk: Chunk;
  /** Which of the batch's members holds it. */
  readonly member: number;
  /** Where it starts in the batch. */
  readonly start: number;
}

export interface MemberOptions {
  readonly chunkSize: number;
  /** Chunks share a member until it has this many bytes. */
  readonly minChunkSize: number;
  /** A member that holds a chunk ends where that does: headers behind it have one of their own. */
  readonly endsAtChunks: boolean;
}

/** Members that a worker deflates. */
interface Batch {
  readonly placed: readonly Placed[];
  readonly result: Promise<DeflateResult>;
}

export class MemberWriter {
  /** Bytes of the blob written so far. */
  written = 0;
  /** Bytes of the tar so far. */
  uncompressed = 0;
  readonly #deflater: Deflater;
  readonly #sink: BlobSink;
  readonly #minChunkSize: number;
  readonly #endsAtChunks: boolean;
  readonly #capacity: number;
  readonly #tarHash = createHash('sha256');
  readonly #blobHash = createHash('sha256');
  readonly #batches: Batch[] = [];
  /** Buffers to use again. */
  readonly #spare: Uint8Array[] = [];

  #buffer: Uint8Array;
  #length = 0;
  #memberEnds: number[] = [];
  #placed: Placed[] = [];
  /** Where the open member starts in the buffer, and where its last chunk ends. */
  #memberStart = 0;
  #chunkEnd = 0;
  #alone = false;

  constructor(deflater: Deflater, sink: BlobSink, options: MemberOptions) {
    this.#deflater = deflater;
    this.#sink = sink;
    this.#minChunkSize = options.minChunkSize;
    this.#endsAtChunks = options.endsAtChunks;
    this.#capacity = Math.max(options.chunkSize, BATCH_SIZE) + SLACK;
    this.#buffer = new Uint8Array(this.#capacity);
  }

  /** Appends bytes to the tar: headers, padding, or what startChunk announced. Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#length + bytes.length > this.#buffer.length) this.#grow(this.#length + bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    this.uncompressed += bytes.length;
    if (this.#endsAtChunks && this.#length === this.#chunkEnd) this.#cut();
    if (this.#length - Math.max(this.#chunkEnd, this.#memberStart) < TAIL_LIMIT) return undefined;
    this.#cut();
    return this.#length >= BATCH_SIZE ? this.#flush() : undefined;
  }

  /**
   * Announces that the next `size` bytes are a chunk, at the start of a member, or in one with others as long as that is
   * below the minimum chunk size. `alone`: it shares with no chunk before it, and none behind it.
   */
  async startChunk(fileOffset: number, size: number, alone = false): Promise<Chunk> {
    const shares =
      !this.#endsAtChunks && !alone && !this.#alone && this.#length - this.#memberStart < this.#minChunkSize;
    this.#alone = alone;
    if (!shares) {
      this.#cut();
      if (this.#length >= BATCH_SIZE || this.#length + size > this.#capacity) await this.#flush();
    }
    const chunk: Chunk = {
      fileOffset,
      size,
      offset: 0,
      end: 0,
      innerOffset: this.#length - this.#memberStart,
      digest: undefined,
    };
    this.#placed.push({ chunk, member: this.#memberEnds.length, start: this.#length });
    this.#chunkEnd = this.#length + size;
    return chunk;
  }

  /** Ends the last member; resolves when everything is written. */
  async finish(): Promise<void> {
    this.#cut();
    await this.#flush();
    while (this.#batches.length > 0) await this.#writeOldest();
  }

  /** Appends to the blob what somebody else has deflated. Only after finish(). */
  append(deflated: Uint8Array): Promise<void> {
    return this.#output(deflated);
  }

  /** Counts and hashes what appended bytes inflate to. */
  account(content: Uint8Array): void {
    this.uncompressed += content.length;
    this.#tarHash.update(content);
  }

  /** SHA-256 of all that the blob inflates to, and of the blob, in hexadecimal digits. To be asked for once, at the end. */
  digests(): { readonly tar: string; readonly blob: string } {
    return { tar: this.#tarHash.digest('hex'), blob: this.#blobHash.digest('hex') };
  }

  /** Ends the open member, if it holds anything. */
  #cut(): void {
    if (this.#length > this.#memberStart) this.#memberEnds.push(this.#length);
    this.#memberStart = this.#length;
  }

  /** Hands the members so far to a worker; waits for the oldest batch where too many are under way. */
  async #flush(): Promise<void> {
    if (this.#memberEnds.length === 0) return;
    const input = this.#buffer.subarray(0, this.#length);
    this.#tarHash.update(input);
    const chunks = Uint32Array.from(this.#placed.flatMap(({ chunk, start }) => [start, start + chunk.size]));
    const result = this.#deflater.run(input, Uint32Array.from(this.#memberEnds), chunks);
    result.catch(() => {
      // Whoever awaits it meets the error; nobody does if another one came first.
    });
    this.#batches.push({ placed: this.#placed, result });
    this.#length = 0;
    this.#memberStart = 0;
    this.#chunkEnd = 0;
    this.#memberEnds = [];
    this.#placed = [];
    while (this.#batches.length > this.#deflater.workers + 1) await this.#writeOldest();
    this.#buffer = this.#spare.pop() ?? new Uint8Array(this.#capacity);
  }

  /** Waits for the oldest batch, completes its chunks, and writes it. */
  async #writeOldest(): Promise<void> {
    const batch = this.#batches.shift();
    if (!batch) return;
    const { input, output, memberEnds, digests } = await batch.result;
    for (const [index, { chunk, member }] of batch.placed.entries()) {
      chunk.offset = this.written + (member === 0 ? 0 : (memberEnds[member - 1] ?? 0));
      chunk.end = this.written + (memberEnds[member] ?? 0);
      chunk.digest = Buffer.from(digests.buffer, digests.byteOffset + index * DIGEST_BYTES, DIGEST_BYTES).toString(
        'hex',
      );
    }
    await this.#output(output);
    if (input.buffer.byteLength === this.#capacity) this.#spare.push(new Uint8Array(input.buffer));
  }

  async #output(bytes: Uint8Array): Promise<void> {
    this.#blobHash.update(bytes);
    this.written += bytes.length;
    await this.#sink.write(bytes);
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
