// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers as every builder writes them, with no TOC: docs/plain-layers.md. */

import { CrfsError } from '../errors/error.js';
import type { LayerFormat } from '../formats/format.js';
import { PLAIN_KINDS } from '../formats/kinds.js';
import { compressed, type Passing } from './compressed.js';
import { NO_SINK } from './content-sink.js';
import { FirstRead } from './first-read.js';
import type { LazyName } from './lazy-names.js';
import { USUAL_SPAN } from './span.js';
import { uncompressed } from './uncompressed.js';

/**
 * The formats that a layer may have whose manifest names no TOC, or the digest of one: a tar may begin with any name. One of them is refused with
 * CRFS_NOT_STARGZ where that is wanted.
 */
export function plainFormats(
  lazy: LazyName,
  tocDigest: string | undefined,
  { read = new FirstRead(), sink = NO_SINK, span = USUAL_SPAN }: Passing = {},
): readonly LayerFormat[] {
  if (tocDigest !== undefined) return [];
  return [uncompressed, compressed({ sink, read, span })].map((format) => ({
    recognise: async (blob) => {
      const layer = await format.recognise(read.watch(blob));
      if (layer === undefined) return undefined;
      if (lazy === 'require') throw new CrfsError('CRFS_NOT_STARGZ', `${blob.name}: ${REFUSED}`);
      read.begin();
      return layer;
    },
  }));
}

const REFUSED =
  'has no TOC at its end; `crfs stargzify` converts it, `crfs index` or --lazy=index reads all of it once; an index in its registry counts for tags, not for digests';

/** Whether layers of a kind are their own TOC: what names their blob names that. */
export function isPlain(kind: string): boolean {
  return Object.values(PLAIN_KINDS).includes(kind);
}
