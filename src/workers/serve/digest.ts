// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash, hash as hashAtOnce } from 'node:crypto';
import { readSync } from 'node:fs';
import { CrfsError } from '../../main/errors/error.js';

const PIECE = 1 << 20;

/** Throws CRFS_DIGEST unless the sha256 of the content is `digest` (32 bytes). `what` names the content. */
export function checkDigest(content: Uint8Array | Iterable<Uint8Array>, digest: Uint8Array, what: string): void {
  if (content instanceof Uint8Array) return compare(hashAtOnce('sha256', content, 'buffer'), digest, what);
  const hash = createHash('sha256');
  for (const piece of content) hash.update(piece);
  compare(hash.digest(), digest, what);
}

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
    compare(this.#hash.digest(), digest, what);
  }
}

function compare(found: Buffer, digest: Uint8Array, what: string): void {
  if (found.equals(digest)) return;
  const wanted = Buffer.from(digest).toString('hex');
  throw new CrfsError(
    'CRFS_DIGEST',
    `${what} is not what the TOC says: sha256 ${found.toString('hex')}, not ${wanted}`,
  );
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
