// SPDX-License-Identifier: GPL-3.0-or-later

import { readSync } from 'node:fs';
import { zeros } from '../../main/blob/zeros.js';
import { CrfsError } from '../../main/errors/error.js';
import { codecOf } from '../../main/formats/codec.js';
import { type PlacedIndex, spanOf } from '../../main/index/span.js';
import { blobCut, type Decoder } from './decoder.js';
import { MemberStream } from './member-stream.js';

/**
 * Members of up to this many bytes, compressed or not, are decoded in one go; larger ones piece by piece. Buffers have
 * this size as soon as a piece is too small: pages that are not touched take no memory.
 */
export const WHOLE_LIMIT = 8 << 20;
/** Chunks of up to this many bytes, compressed or not, are decoded in one go where no buffer is needed for it. */
const MAP_LIMIT = 256 << 20;
const PIECE = 1 << 20;
/** Of input, of which what is not needed at the end of a chunk is read again. */
const INPUT_PIECE = 128 << 10;
/** A member goes on behind a file's content, with padding and the headers of what follows: room for the usual. */
export const SLACK = 64 << 10;

/** A layer whose chunks can be read. */
export interface StoredLayer extends PlacedIndex {
  readonly blobFd: number;
  /** Whether the bytes of some chunks are not fetched anew any more, however wrong they are. */
  isFinal(first: number, count: number): boolean;
}

/** A member that is decoded piece by piece. */
interface LargeMember {
  readonly layer: StoredLayer;
  /** Its offset in the blob. */
  readonly member: number;
  readonly isFinal: boolean;
  readonly stream: MemberStream;
}

/**
 * Reads and decodes the members of layers into buffers of its own, which it uses again: what it returns is valid
 * until its next call. The last member stays, so that files which share one decode it once; so does the place that was reached in
 * the last one that is too large to stay, for files behind it.
 */
export class MemberReader {
  readonly #decoderOf: (codec: number) => Decoder;
  readonly #onRead: (bytes: number) => void;
  #input = Buffer.allocUnsafeSlow(PIECE);
  #output = Buffer.allocUnsafeSlow(PIECE);
  #layer: StoredLayer | undefined;
  #member = -1;
  #length = 0;
  #isFinal = false;
  #large: LargeMember | undefined;

  /** `onRead` is told the bytes that were read of blobs. */
  constructor(decoderOf: (codec: number) => Decoder, onRead: (bytes: number) => void) {
    this.#decoderOf = decoderOf;
    this.#onRead = onRead;
  }

  /** Whether the member of a chunk is small enough for `content`. */
  fits(layer: StoredLayer, chunk: number): boolean {
    const { index } = layer;
    if (index.isZeros(chunk)) return false;
    const needed = index.chunkInner(chunk) + index.chunkSize(chunk) + SLACK;
    return needed <= WHOLE_LIMIT && memberEnd(layer, chunk) - index.chunkOffset(chunk) <= WHOLE_LIMIT;
  }

  /** The content of a chunk. Throws CRFS_BAD_LAYER if the blob or the member is too short, or corrupt. */
  content(layer: StoredLayer, chunk: number): Buffer {
    const { index } = layer;
    const offset = index.chunkOffset(chunk);
    const end = index.chunkInner(chunk) + index.chunkSize(chunk);
    const isFinal = layer.isFinal(chunk, 1); // its bytes may have been fetched again since they were read
    const isHere = this.#layer === layer && this.#member === offset && this.#isFinal === isFinal;
    if (!isHere || this.#length < end) {
      this.#layer = undefined;
      if (this.#output.length < end + SLACK) this.#output = Buffer.allocUnsafeSlow(WHOLE_LIMIT);
      this.#length = this.#decoder(layer).decode(this.#compressed(layer, chunk), this.#output, index.restart(offset));
      this.#layer = layer;
      this.#member = offset;
      this.#isFinal = isFinal;
    }
    if (this.#length < end) throw tooShort(layer, offset);
    return this.#output.subarray(index.chunkInner(chunk), end);
  }

  /** Whether there is a way to decode a chunk straight into the mapped object. */
  maps(layer: StoredLayer, chunk: number): boolean {
    const { index } = layer;
    return (
      this.#decoder(layer).decodeFile !== undefined &&
      !index.isZeros(chunk) &&
      index.chunkInner(chunk) === 0 &&
      index.chunkSize(chunk) <= MAP_LIMIT &&
      memberEnd(layer, chunk) - index.chunkOffset(chunk) <= MAP_LIMIT
    );
  }

  /**
   * Decodes a chunk that `maps` into a mapping, which may be longer than the chunk: that is faster where the member goes on
   * behind the chunk.
   */
  contentInto(layer: StoredLayer, chunk: number, mapping: Uint8Array): void {
    const offset = layer.index.chunkOffset(chunk);
    const length = memberEnd(layer, chunk) - offset;
    const written = this.#decoder(layer).decodeFile?.(layer.blobFd, offset, length, mapping) ?? 0;
    this.#onRead(length);
    if (written < layer.index.chunkSize(chunk)) throw tooShort(layer, offset);
  }

  /** Hands out the content of a chunk of any size, in pieces: in memory that does not grow with it. */
  *pieces(layer: StoredLayer, chunk: number): Generator<Uint8Array> {
    const { index } = layer;
    if (index.isZeros(chunk)) {
      yield* zeros(index.chunkSize(chunk));
      return;
    }
    const start = index.chunkInner(chunk);
    const wanted = { start, end: start + index.chunkSize(chunk) };
    const large = this.#largeUpTo(layer, chunk);
    const end = memberEnd(layer, chunk);
    this.#layer = undefined;
    this.#large = undefined;
    try {
      yield* large.stream.content(wanted, this.#output.subarray(0, PIECE), (offset) => {
        if (offset >= end) throw tooShort(layer, large.member);
        return this.#read(layer, offset, Math.min(INPUT_PIECE, end - offset));
      });
      this.#large = large;
    } finally {
      if (this.#large === undefined) large.stream.close();
    }
  }

  /** The member of a chunk, decoded up to that, or less far. */
  #largeUpTo(layer: StoredLayer, chunk: number): LargeMember {
    const { index } = layer;
    const member = index.chunkOffset(chunk);
    const isFinal = layer.isFinal(chunk, 1);
    const last = this.#large;
    const isSame = last?.layer === layer && last.member === member && last.isFinal === isFinal;
    if (isSame && last.stream.position <= index.chunkInner(chunk)) return last;
    this.rest();
    const stream = new MemberStream(this.#decoder(layer).begin(index.restart(member)), member);
    return { layer, member, isFinal, stream };
  }

  /** Lets go of memory that takes time to fill again. */
  rest(): void {
    this.#large?.stream.close();
    this.#large = undefined;
  }

  /** Forgets the last member: its bytes are wrong. */
  forget(): void {
    this.#layer = undefined;
    this.rest();
  }

  #decoder({ index }: StoredLayer): Decoder {
    return this.#decoderOf(index.codec);
  }

  #compressed(layer: StoredLayer, chunk: number): Buffer {
    const offset = layer.index.chunkOffset(chunk);
    return this.#read(layer, offset, memberEnd(layer, chunk) - offset);
  }

  #read(layer: StoredLayer, offset: number, length: number): Buffer {
    if (this.#input.length < length) this.#input = Buffer.allocUnsafeSlow(WHOLE_LIMIT);
    for (let done = 0; done < length; ) {
      const read = readSync(layer.blobFd, this.#input, done, length - done, offset + done);
      if (read === 0) throw blobCut();
      done += read;
    }
    this.#onRead(length);
    return this.#input.subarray(0, length);
  }
}

function memberEnd(layer: StoredLayer, chunk: number): number {
  const [, end] = spanOf(layer, chunk);
  return end;
}

function tooShort({ index }: StoredLayer, offset: number): CrfsError {
  const { part } = codecOf(index.codec);
  return new CrfsError('CRFS_BAD_LAYER', `the ${part} at ${offset} holds less than its TOC says`);
}
