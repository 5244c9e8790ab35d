// SPDX-License-Identifier: GPL-3.0-or-later

/** What an image is, told by its manifest, its config and the footers of its layers: no TOC is read. */

import pLimit from 'p-limit';
import { digestOf } from '../blob/digest.js';
import type { BlobSource } from '../blob/source.js';
import { type Presence, presenceOf } from '../cache/presence.js';
import { CrfsError } from '../errors/error.js';
import { indexedKind, isIndexed } from '../formats/kinds.js';
import { recognise } from '../formats/recognise.js';
import type { LazyName } from '../plain/lazy-names.js';
import { isPlain, plainFormats } from '../plain/plain.js';
import { type ImageConfig, parseConfig } from '../registry/config.js';
import { loadSettings } from '../settings/settings.js';
import { keptRecord } from './cached.js';
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
  /** Files are fetched as they are read: it has a TOC, or its index is in the cache, or attached to its image. */
  readonly lazy: boolean;
  /** Lazy by an index that is attached to its image. */
  readonly byIndex: boolean;
  /** Without being lazy: its first mount reads all of it. */
  readonly mountable: boolean;
  /** `estargz`, `stargz`, `zstd:chunked`, `plain gzip`, `plain gzip, by an index in its registry` and the like; null: of none that can be mounted. */
  readonly format: string | null;
  /** What the manifest says of the TOC. */
  readonly tocDigest: string | null;
  /** Why it cannot be mounted; null: it can. */
  readonly why: string | null;
  /** What the cache has of it. */
  readonly cached: Presence;
}

export interface ImageSummary {
  /** What a person calls it, in full. */
  readonly name: string;
  /** By digest: leads to the very same image again. */
  readonly resolved: string;
  /** It is in an archive, which is not mounted. */
  readonly archive: boolean;
  /** Of the manifest; null of what is no image. */
  readonly digest: string | null;
  /** null of what is no image, and where its registry does not answer and the cache has not kept it. */
  readonly config: (ImageConfig & { readonly digest: string }) | null;
  /** The base first. */
  readonly layers: readonly LayerSummary[];
}

/** Throws what fetching throws, and CRFS_BAD_LAYER for a config that is broken; a layer that is, is told of. */
export async function summarise(image: FoundImage): Promise<ImageSummary> {
  const { name, resolved, isArchive: archive = false, digest = null } = image;
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
  return { name, resolved, archive, digest, config, layers };
}

async function layerSummary(layer: AnyLayerSource, number: number, whenPlain: LazyName): Promise<LayerSummary> {
  const { name, identity, digest = null, tocDigest = null } = layer;
  const cache = ownCache();
  const known = cache && keptRecord(cache, layer);
  const bytes = cache === undefined ? 0 : presenceOf(cache, identity).bytes;
  const cached = { bytes, indexed: known !== undefined };
  const blob = await layer.open();
  const facts = { number, name, identity, digest, size: blob.size, tocDigest, cached };
  try {
    const format = known?.kind ?? (await formatOf(layer, blob, whenPlain));
    const lazy = known !== undefined || !isPlain(format);
    return { ...facts, lazy, byIndex: isIndexed(format), mountable: true, format, why: null };
  } catch (error) {
    if (!(error instanceof CrfsError) || !['CRFS_NOT_STARGZ', 'CRFS_BAD_LAYER'].includes(error.code)) throw error;
    return { ...facts, lazy: false, byIndex: false, mountable: false, format: null, why: error.message };
  } finally {
    await blob.close();
  }
}

/** As a mount would take the layer. */
async function formatOf(layer: AnyLayerSource, blob: BlobSource, whenPlain: LazyName): Promise<string> {
  const kindBy = async (lazy: LazyName): Promise<string> =>
    (await recognise(blob, layer.tocPosition, plainFormats(lazy, layer.tocDigest))).kind;
  const kind = await kindBy('index');
  if (isPlain(kind) && (await layer.indexed?.find()) !== undefined) return indexedKind(kind);
  return whenPlain === 'index' ? kind : await kindBy(whenPlain);
}
