// SPDX-License-Identifier: GPL-3.0-or-later

import { readSync } from 'node:fs';
import { CrfsError } from '../../main/errors/error.js';
import type { Engine } from '../inflate/engine.js';
import { Inflater } from '../inflate/pako.js';
import type { Layer } from './layers.js';

/**
 * Members of up to this many bytes, compressed or not, are inflated in one go; larger ones piece by piece. A buffer grows
 * to this at once, as only what is used of it takes memory: growing with each larger member would leave many behind.
 */
export const WHOLE_LIMIT = 8 << 20;
const PIECE = 1 << 20;
/** A member goes on behind a file's content, with padding and the headers of what follows: room for the usual. */
export const SLACK = 64 << 10;

/**
 * Reads and inflates the gzip members of layers into buffers of its own, which it uses again: what it returns is valid
 * until its next call. The last member stays, so that files which share one inflate it once.
 */
export class MemberReader {
  readonly #engine: Engine;
  readonly #onRead: (bytes: number) => void;
  #input = Buffer.allocUnsafeSlow(PIECE);
  #output = Buffer.allocUnsafeSlow(PIECE);
  #layer: Layer | undefined;
  #member = -1;
  #length = 0;
  #isFinal = false;

  /** `onRead` is told the bytes that were read of blobs. */
  constructor(engine: Engine, onRead: (bytes: number) => void) {
    this.#engine = engine;
    this.#onRead = onRead;
  }

  /** Whether the member of a chunk is small enough for `content`. */
  fits(layer: Layer, chunk: number): boolean {
    const { index } = layer;
    const needed = index.chunkInner(chunk) + index.chunkSize(chunk) + SLACK;
    return needed <= WHOLE_LIMIT && memberEnd(layer, chunk) - index.chunkOffset(chunk) <= WHOLE_LIMIT;
  }

  /** The content of a chunk. Throws CRFS_BAD_LAYER if the blob or the member is too short, or corrupt. */
  content(layer: Layer, chunk: number): Buffer {
    const { index } = layer;
    const offset = index.chunkOffset(chunk);
    const end = index.chunkInner(chunk) + index.chunkSize(chunk);
    const isFinal = layer.isFinal(chunk, 1); // its bytes may have been fetched again since they were read
    const isHere = this.#layer === layer && this.#member === offset && this.#isFinal === isFinal;
    if (!isHere || this.#length < end) {
      this.#layer = undefined;
      if (this.#output.length < end + SLACK) this.#output = Buffer.allocUnsafeSlow(WHOLE_LIMIT);
      this.#length = this.#engine.inflate(this.#compressed(layer, chunk), this.#output);
      this.#layer = layer;
      this.#member = offset;
      this.#isFinal = isFinal;
    }
    if (this.#length < end) throw tooShort(offset);
    return this.#output.subarray(index.chunkInner(chunk), end);
  }

  /** Whether there is a way to inflate a chunk straight into the mapped object. */
  maps(layer: Layer, chunk: number): boolean {
    return this.#engine.inflateMapped !== undefined && layer.index.chunkInner(chunk) === 0 && this.fits(layer, chunk);
  }

  /**
   * Inflates a chunk that starts its member into a mapping, which may be longer than the chunk. Returns false where the
   * member goes on behind the mapping's end: `content` can inflate it then.
   */
  contentInto(layer: Layer, chunk: number, mapping: Uint8Array): boolean {
    const written = this.#engine.inflateMapped?.(this.#compressed(layer, chunk), mapping);
    if (written !== undefined && written < layer.index.chunkSize(chunk)) {
      throw tooShort(layer.index.chunkOffset(chunk));
    }
    return written !== undefined;
  }

  /** Hands out the content of a chunk of any size, in pieces: in memory that does not grow with it. */
  *pieces(layer: Layer, chunk: number): Generator<Buffer> {
    const { index } = layer;
    const end = memberEnd(layer, chunk);
    const inflater = new Inflater();
    let skip = index.chunkInner(chunk);
    let left = index.chunkSize(chunk);
    this.#layer = undefined;
    for (let at = index.chunkOffset(chunk); left > 0; at += PIECE) {
      if (at >= end) throw tooShort(index.chunkOffset(chunk));
      inflater.feed(this.#read(layer, at, Math.min(PIECE, end - at)));
      const room = this.#output.subarray(0, PIECE);
      for (let written = PIECE; written === PIECE && left > 0; ) {
        written = inflater.fill(room);
        const content = room.subarray(Math.min(skip, written), Math.min(skip + left, written));
        skip -= Math.min(skip, written);
        left -= content.length;
        if (content.length > 0) yield content;
      }
    }
  }

  /** Forgets the last member: its bytes are wrong. */
  forget(): void {
    this.#layer = undefined;
  }

  #compressed(layer: Layer, chunk: number): Buffer {
    const offset = layer.index.chunkOffset(chunk);
    return this.#read(layer, offset, memberEnd(layer, chunk) - offset);
  }

  #read(layer: Layer, offset: number, length: number): Buffer {
    if (this.#input.length < length) this.#input = Buffer.allocUnsafeSlow(WHOLE_LIMIT);
    for (let done = 0; done < length; ) {
      const read = readSync(layer.blobFd, this.#input, done, length - done, offset + done);
      if (read === 0) throw new CrfsError('CRFS_BAD_LAYER', 'the blob has become shorter than its TOC says');
      done += read;
    }
    this.#onRead(length);
    return this.#input.subarray(0, length);
  }
}

function memberEnd(layer: Layer, chunk: number): number {
  return Math.min(layer.index.chunkEnd(chunk), layer.tocOffset);
}

function tooShort(offset: number): CrfsError {
  return new CrfsError('CRFS_BAD_LAYER', `the gzip member at ${offset} holds less than its TOC says`);
}
