// SPDX-License-Identifier: GPL-3.0-or-later

import { readSync } from 'node:fs';
import { Window } from '../../main/blob/window.js';
import { zeros } from '../../main/blob/zeros.js';
import { CrfsError } from '../../main/errors/error.js';
import { codecOf } from '../../main/formats/codec.js';
import { type PlacedIndex, spanOf } from '../../main/index/span.js';
import { blobCut, type Decoder } from './decoder.js';

/**
 * Members of up to this many bytes, compressed or not, are decoded in one go; larger ones piece by piece. Buffers have
 * this size as soon as a piece is too small: pages that are not touched take no memory.
 */
export const WHOLE_LIMIT = 8 << 20;
/** Chunks of up to this many bytes, compressed or not, are decoded in one go where no buffer is needed for it. */
const MAP_LIMIT = 256 << 20;
const PIECE = 1 << 20;
/** A member goes on behind a file's content, with padding and the headers of what follows: room for the usual. */
export const SLACK = 64 << 10;

/** A layer whose chunks can be read. */
export interface StoredLayer extends PlacedIndex {
  readonly blobFd: number;
  /** Whether the bytes of some chunks are not fetched anew any more, however wrong they are. */
  isFinal(first: number, count: number): boolean;
}

/**
 * Reads and decodes the members of layers into buffers of its own, which it uses again: what it returns is valid
 * until its next call. The last member stays, so that files which share one decode it once.
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
    const offset = index.chunkOffset(chunk);
    const end = memberEnd(layer, chunk);
    const window = new Window(index.chunkInner(chunk), index.chunkSize(chunk));
    this.#layer = undefined;
    const room = this.#output.subarray(0, PIECE);
    const decoding = this.#decoder(layer).begin(index.restart(offset));
    try {
      for (let at = offset; window.left > 0; at += PIECE) {
        if (at >= end) throw tooShort(layer, offset);
        let input: Uint8Array = this.#read(layer, at, Math.min(PIECE, end - at));
        for (let isFull = true; window.left > 0 && (isFull || input.length > 0); ) {
          const [used, made] = decoding.step(input, room);
          input = input.subarray(used);
          isFull = made === room.length; // more may come out than went in
          const content = window.cut(room.subarray(0, made));
          if (content.length > 0) yield content;
        }
      }
    } finally {
      decoding.close();
    }
  }

  /** Forgets the last member: its bytes are wrong. */
  forget(): void {
    this.#layer = undefined;
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
