// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash, type Hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { CrfsError } from '../../main/errors/error.js';
import { decoded, type Form, formOf } from '../../main/formats/decode.js';
import { checkDigest } from '../../main/index/check-digest.js';
import { IndexReader } from '../../main/index/reader.js';
import { addon } from '../../native/addon.js';
import { decoderOf } from '../decode/decoders.js';
import { MemberReader, type StoredLayer } from '../decode/member-reader.js';
import { fileContent } from '../serve/file-content.js';

const PIECE = 1 << 20;

/** A blob in a file, to hash as a whole; the descriptor stays the caller's. */
export interface WholeTask {
  readonly fd: number;
  readonly size: number;
}

export interface WholeOutcome {
  /** `sha256:…` of the blob. */
  readonly digest: string;
  /** `sha256:…` of what any decoder makes of it; null: it cannot be decoded. */
  readonly diffId: string | null;
  /** What it was taken for. */
  readonly form: Form;
}

/** Chunks [first, end) of a layer, those of whole files, to check; the descriptors stay the caller's. */
export interface ChunksTask {
  readonly name: string;
  readonly blobFd: number;
  readonly indexFd: number;
  readonly tocOffset: number;
  readonly first: number;
  readonly end: number;
}

/** A file that is not what the TOC says. */
export interface FileProblem {
  readonly path: string;
  readonly message: string;
}

/** Hashes a blob, and what it decodes to as one stream. */
export async function whole({ fd, size }: WholeTask): Promise<WholeOutcome> {
  const head = Buffer.alloc(4);
  readSync(fd, head, 0, head.length, 0);
  const form = formOf(head);
  const digest = createHash('sha256');
  const plain = createHash('sha256');
  try {
    for await (const piece of decoded(hashing(fd, size, digest), form)) plain.update(piece);
    return { digest: `sha256:${digest.digest('hex')}`, diffId: `sha256:${plain.digest('hex')}`, form };
  } catch {
    const again = createHash('sha256'); // the stream may have ended anywhere
    for (const piece of fileContent(fd, size)) again.update(piece);
    return { digest: `sha256:${again.digest('hex')}`, diffId: null, form };
  }
}

async function* hashing(fd: number, size: number, hash: Hash): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, size - at));
    const read = readSync(fd, piece, 0, piece.length, at);
    if (read === 0) return; // a file that has become shorter has another digest
    at += read;
    hash.update(piece.subarray(0, read));
    yield piece.subarray(0, read);
  }
}

/** Checks files one by one: one that fails does not keep the next from being checked. */
export function chunks({ first, end, ...facts }: ChunksTask): FileProblem[] {
  const mapping = addon.map(facts.indexFd, false);
  const index = new IndexReader(mapping);
  const layer: StoredLayer = { ...facts, index, isFinal: () => true };
  const members = new MemberReader(
    (codec) => decoderOf(codec, 'libdeflate'),
    () => undefined,
  );
  const problems: FileProblem[] = [];
  for (let chunk = first; chunk < end; ) {
    const inode = index.chunkInode(chunk);
    try {
      checkFile(members, layer, inode);
    } catch (error) {
      if (!(error instanceof CrfsError)) throw error;
      problems.push({ path: index.path(inode), message: error.message });
    }
    chunk = index.chunkFirst(inode) + index.chunkCount(inode);
  }
  addon.unmap(mapping);
  return problems;
}

/** Inflates all chunks of a file. Throws CRFS_BAD_LAYER and CRFS_DIGEST. */
function checkFile(members: MemberReader, layer: StoredLayer, inode: number): void {
  const { index } = layer;
  const content = checkedContent(members, layer, inode);
  const digest = index.fileDigest(inode);
  if (digest) checkDigest(content, digest, 'the content');
  else for (const _ of content);
}

/** The content of a file, in pieces that are valid until the next; a chunk with a digest of its own is checked first. */
function* checkedContent(members: MemberReader, layer: StoredLayer, inode: number): Generator<Uint8Array> {
  const { index } = layer;
  const first = index.chunkFirst(inode);
  for (let chunk = first; chunk < first + index.chunkCount(inode); chunk++) {
    const content = (): Iterable<Uint8Array> =>
      members.fits(layer, chunk) ? [members.content(layer, chunk)] : members.pieces(layer, chunk);
    const digest = index.chunkDigest(chunk);
    if (digest) checkDigest(content(), digest, `the chunk at ${index.chunkFileOffset(chunk)}`);
    yield* content();
  }
}
