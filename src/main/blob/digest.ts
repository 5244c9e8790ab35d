// SPDX-License-Identifier: GPL-3.0-or-later

/** Digests of blobs, as image manifests and TOCs write them: `sha256:` and 64 lower-case hex digits (OCI image specification, "Digests"). */

import { createHash } from 'node:crypto';
import { CrfsError } from '../errors/error.js';
import type { StreamSource } from './source.js';

const PREFIX = 'sha256:';
const LENGTH = PREFIX.length + 64;

/** sha256 of no bytes, 64 hex digits. */
export const EMPTY_HEX = createHash('sha256').digest('hex');

/** What a manifest says of a blob's bytes. */
export interface BlobNamed {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array): string {
  return `${PREFIX}${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Whether a value is a digest of the only algorithm that we compute. Compares codes: a TOC has one or two for every file. */
export function isDigest(value: unknown): value is string {
  if (typeof value !== 'string' || value.length !== LENGTH || !value.startsWith(PREFIX)) return false;
  for (let at = PREFIX.length; at < LENGTH; at++) {
    const code = value.charCodeAt(at);
    if (code < 0x30 || (code > 0x39 && code < 0x61) || code > 0x66) return false; // neither 0-9 nor a-f
  }
  return true;
}

/** The digest that the name of an image ends with, `…@sha256:…`; undefined: it names none. */
export function digestIn(name: string): string | undefined {
  const digest = name.slice(name.lastIndexOf('@') + 1);
  return isDigest(digest) ? digest : undefined;
}

/** The 64 hex digits of a digest. */
export function hexOf(digest: string): string {
  return digest.slice(PREFIX.length);
}

/** Streams a blob, and rejects with CRFS_DIGEST at its end if its bytes are not those that were named. Each piece is the reader's to keep. */
export async function* verified(
  source: StreamSource,
  { digest, size }: BlobNamed,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (source.size !== size) throw new CrfsError('CRFS_DIGEST', `${source.name} has ${source.size} bytes, not ${size}`);
  const hash = createHash('sha256');
  for await (const piece of source.stream(0, size, signal)) {
    hash.update(piece);
    yield Buffer.from(piece);
  }
  const found = `${PREFIX}${hash.digest('hex')}`;
  if (found !== digest) throw new CrfsError('CRFS_DIGEST', `${source.name} has other content: ${found}`);
}

/** A small blob as a whole, checked; closes the source. Rejects with CRFS_BAD_LAYER for one of more than `limit` bytes. */
export async function readBlob(
  source: StreamSource,
  named: BlobNamed,
  limit: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  try {
    if (named.size > limit) {
      throw new CrfsError('CRFS_BAD_LAYER', `${source.name} has ${named.size} bytes, more than ${limit}`);
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of verified(source, named, signal)) pieces.push(piece);
    return Buffer.concat(pieces);
  } finally {
    await source.close();
  }
}
