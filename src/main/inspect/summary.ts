// SPDX-License-Identifier: GPL-3.0-or-later

/** What an image is, told by its manifest, its config and the footers of its layers: no TOC is read. */

import pLimit from 'p-limit';
import { digestOf } from '../blob/digest.js';
import { type Presence, presenceOf } from '../cache/presence.js';
import { readRecord } from '../cache/records.js';
import { CrfsError } from '../errors/error.js';
import { recognise } from '../formats/recognise.js';
import type { LazyName } from '../plain/lazy-names.js';
import { isPlain, plainFormats } from '../plain/plain.js';
import { type ImageConfig, parseConfig } from '../registry/config.js';
import { loadSettings } from '../settings/settings.js';
import type { AnyLayerSource, FoundImage } from './found-image.js';
import { ownCache } from './own-cache.js';

/** Layers that are looked at at the same time. */
const AT_ONCE = 16;

export interface LayerSummary {
  /** 1 is the base. */
  readonly number: number;
  readonly name: string;
  /** Which bytes the blob has, as the cache names it. */
  readonly identity: string;
  readonly digest: string | null;
  /** Bytes of the blob. */
  readonly size: number;
  /** Files are fetched as they are read: it has a TOC, or its index is in the cache. */
  readonly lazy: boolean;
  /** Without being lazy: its first mount reads all of it. */
  readonly mountable: boolean;
  /** `estargz`, `stargz`, `zstd:chunked`, `plain gzip`; null: of none that can be mounted. */
  readonly format: string | null;
  /** What the manifest says of the TOC. */
  readonly tocDigest: string | null;
  /** Why it cannot be mounted; null: it can. */
  readonly why: string | null;
  /** What the cache has of it. */
  readonly cached: Presence;
}

export interface ImageSummary {
  /** By digest: leads to the very same image again. */
  readonly resolved: string;
  /** Of the manifest; null of what is no image. */
  readonly digest: string | null;
  /** null of what is no image, and where its registry does not answer and the cache has not kept it. */
  readonly config: (ImageConfig & { readonly digest: string }) | null;
  /** The base first. */
  readonly layers: readonly LayerSummary[];
}

/** Throws what fetching throws, and CRFS_BAD_LAYER for a config that is broken; a layer that is, is told of. */
export async function summarise(image: FoundImage): Promise<ImageSummary> {
  const { resolved, digest = null } = image;
  const [bytes, layers] = await Promise.all([
    image.config().catch((error: unknown) => {
      if (image.stale === undefined || !(error instanceof CrfsError)) throw error;
      return undefined;
    }),
    loadSettings({}).then(({ lazy }) =>
      pLimit(AT_ONCE).map(image.layers, async (layer, place) => await layerSummary(layer, place + 1, lazy)),
    ),
  ]);
  const config = bytes === undefined ? null : { digest: digestOf(bytes), ...parseConfig(bytes, resolved) };
  return { resolved, digest, config, layers };
}

async function layerSummary(layer: AnyLayerSource, number: number, whenPlain: LazyName): Promise<LayerSummary> {
  const { name, identity, digest = null, tocDigest = null } = layer;
  const cache = ownCache();
  const cached = cache === undefined ? { bytes: 0, indexed: false } : presenceOf(cache, identity);
  const known = cached.indexed ? cache && readRecord(cache, identity) : undefined;
  const blob = await layer.open();
  const facts = { number, name, identity, digest, size: blob.size, tocDigest, cached };
  try {
    if (known !== undefined) return { ...facts, lazy: true, mountable: true, format: known.kind, why: null };
    const { kind } = await recognise(blob, layer.tocPosition, plainFormats(whenPlain, layer.tocDigest));
    return { ...facts, lazy: !isPlain(kind), mountable: true, format: kind, why: null };
  } catch (error) {
    if (!(error instanceof CrfsError) || !['CRFS_NOT_STARGZ', 'CRFS_BAD_LAYER'].includes(error.code)) throw error;
    return { ...facts, lazy: false, mountable: false, format: null, why: error.message };
  } finally {
    await blob.close();
  }
}
