// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers as every builder writes them, with no TOC: docs/plain-layers.md. */

import type { LayerFormat } from '../formats/format.js';
import { compressed, PLAIN_GZIP, PLAIN_ZSTD } from './compressed.js';
import type { LazyName } from './lazy-names.js';
import { PLAIN_TAR, uncompressed } from './uncompressed.js';

/** The formats that a layer may have whose manifest names no TOC, or the digest of one: a tar may begin with any name. */
export function plainFormats(lazy: LazyName, tocDigest: string | undefined): readonly LayerFormat[] {
  return lazy === 'index' && tocDigest === undefined ? [uncompressed, compressed] : [];
}

/** Whether layers of a kind are their own TOC: what names their blob names that. */
export function isPlain(kind: string): boolean {
  return [PLAIN_GZIP, PLAIN_ZSTD, PLAIN_TAR].includes(kind);
}
