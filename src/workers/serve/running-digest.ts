// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { CrfsError } from '../../main/errors/error.js';
import { compareDigest } from '../../main/index/check-digest.js';

const PIECE = 1 << 20;

/** The sha256 of a file, taken along by a worker that fills all of its chunks one after the other. */
export class RunningDigest {
  readonly #hash = createHash('sha256');
  #chunks = 0;

  /** Takes a chunk along, counted from the file's first. Consumes `content` in any case. */
  add(chunk: number, content: Uint8Array | Iterable<Uint8Array>): void {
    const next = chunk === this.#chunks;
    for (const piece of content instanceof Uint8Array ? [content] : content) if (next) this.#hash.update(piece);
    if (next) this.#chunks++;
  }

  /** Whether it has seen all `chunks` of the file. */
  covers(chunks: number): boolean {
    return this.#chunks === chunks;
  }

  /** To be called once, at the end. Throws as checkDigest does. */
  check(digest: Uint8Array, what: string): void {
    compareDigest(this.#hash.digest(), digest, what);
  }
}

let buffer: Buffer | undefined;

/** The first `size` bytes of a file, in pieces that are valid until the next one, of any file. */
export function* fileContent(fd: number, size: number): Generator<Buffer> {
  buffer ??= Buffer.allocUnsafeSlow(PIECE);
  for (let at = 0; at < size; ) {
    const read = readSync(fd, buffer, 0, Math.min(PIECE, size - at), at);
    if (read === 0) throw new CrfsError('CRFS_INTERNAL', 'a file that was being filled is too short');
    yield buffer.subarray(0, read);
    at += read;
  }
}
