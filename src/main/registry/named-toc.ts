// SPDX-License-Identifier: GPL-3.0-or-later

/** What a manifest says of the TOC of a layer, in annotations: of eStargz, or of zstd:chunked. */

import { isDigest } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import type { Descriptor } from './types.js';

/** eStargz: the sha256 of the TOC's JSON. */
export const TOC_DIGEST = 'containerd.io/snapshot/stargz/toc.digest';
/** zstd:chunked: that of the frame that holds the TOC, and where it is. Later writers put `github.` in. */
const ZSTD_CHUNKED = ['io.github.containers.zstd-chunked.', 'io.containers.zstd-chunked.'];
const ZSTD_DIGEST = 'manifest-checksum';
const ZSTD_POSITION = 'manifest-position';
/** zstd:chunked, of later writers alone: where tar-split is, `offset:length:length of what it inflates to`, and its digest. */
const TAR_SPLIT_POSITION = 'tarsplit-position';
const TAR_SPLIT_DIGEST = 'tarsplit-checksum';

export interface NamedToc {
  /** The digest that it must have. */
  readonly tocDigest?: string;
  /** Where it is in the blob, as it is written: the layer's format reads it. */
  readonly tocPosition?: string;
}

/** What the manifest of the image `name` says of a layer's TOC. Throws CRFS_BAD_LAYER. */
export function namedToc({ digest, annotations }: Descriptor, name: string): NamedToc {
  const zstd = (key: string): string | undefined =>
    ZSTD_CHUNKED.map((prefix) => annotations[prefix + key]).find((value) => value !== undefined);
  const isEstargz = annotations[TOC_DIGEST] !== undefined;
  const tocDigest = isEstargz ? annotations[TOC_DIGEST] : zstd(ZSTD_DIGEST);
  const tocPosition = isEstargz ? undefined : zstd(ZSTD_POSITION);
  if (tocDigest !== undefined && !isDigest(tocDigest)) {
    throw new CrfsError(
      'CRFS_BAD_LAYER',
      `the manifest of ${name} is broken: the TOC digest of ${digest} is not a sha256 digest`,
    );
  }
  return { ...(tocDigest !== undefined && { tocDigest }), ...(tocPosition !== undefined && { tocPosition }) };
}

/** What a descriptor says of a TOC in zstd:chunked, and of tar-split: digests, and positions as they are written. */
export interface ZstdToc {
  readonly digest: string;
  readonly position: string;
  readonly tarSplit?: { readonly digest: string; readonly position: string };
}

/**
 * The annotations of a layer in zstd:chunked, by their later names. Who looks for the earlier ones (containers-storage until
 * 1.44) loses owners and times of files that it fetches by a TOC: told of none, it pulls the layer whole, and right.
 */
export function zstdTocAnnotations({ digest, position, tarSplit }: ZstdToc): Record<string, string> {
  const [prefix = ''] = ZSTD_CHUNKED;
  return {
    [prefix + ZSTD_DIGEST]: digest,
    [prefix + ZSTD_POSITION]: position,
    ...(tarSplit && {
      [prefix + TAR_SPLIT_DIGEST]: tarSplit.digest,
      [prefix + TAR_SPLIT_POSITION]: tarSplit.position,
    }),
  };
}
