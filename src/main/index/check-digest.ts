// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash, hash as hashAtOnce } from 'node:crypto';
import { CrfsError } from '../errors/error.js';

/** Throws CRFS_DIGEST unless the sha256 of the content is `digest` (32 bytes). `what` names the content. */
export function checkDigest(content: Uint8Array | Iterable<Uint8Array>, digest: Uint8Array, what: string): void {
  if (content instanceof Uint8Array) return compareDigest(hashAtOnce('sha256', content, 'buffer'), digest, what);
  const hash = createHash('sha256');
  for (const piece of content) hash.update(piece);
  compareDigest(hash.digest(), digest, what);
}

/** Throws CRFS_DIGEST unless the sha256 that was found of some content is the one that the TOC tells. */
export function compareDigest(found: Buffer, digest: Uint8Array, what: string): void {
  if (found.equals(digest)) return;
  const wanted = Buffer.from(digest).toString('hex');
  throw new CrfsError(
    'CRFS_DIGEST',
    `${what} is not what the TOC says: sha256 ${found.toString('hex')}, not ${wanted}`,
  );
}
