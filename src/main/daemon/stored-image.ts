// SPDX-License-Identifier: GPL-3.0-or-later

/** Images as containers-storage asks a store for them: layer by layer, with what only the image's config tells. */

import { digestOf } from '../blob/digest.js';
import type { ManifestOptions, RegistryClient } from '../registry/client.js';
import { diffIdsOf } from '../registry/config.js';
import { type ImageLayer, type ResolvedImage, readConfig, resolveImage } from '../registry/image.js';
import { layersOf, type RemoteLayer } from '../sources/open.js';

/** eStargz: bytes of the layer's tar. */
const UNCOMPRESSED_SIZE = 'io.containers.estargz.uncompressed-size';
/** containers-storage, pkg/archive: Gzip, Zstd. */
const GZIP = 2;
const ZSTD = 4;

export interface StoredLayer {
  readonly named: ImageLayer;
  readonly diffId: string;
  readonly remote: RemoteLayer;
}

export interface StoredImage {
  /** The configuration that leads to this very image again. */
  readonly resolved: string;
  /** Digests of what has to be kept as manifests to open it without its registry. */
  readonly manifests: readonly string[];
  /** The digest of its config. */
  readonly config: string;
  /** Those whose TOC the manifest names, or whose index is here; others are none for a store, which is told so without a look at their blobs. */
  readonly layers: readonly StoredLayer[];
  /** Of blobs and TOCs of all layers. */
  readonly digests: ReadonlySet<string>;
}

/** Finds an image; `hasIndex` says of a layer without a TOC whether its index is here. Throws what finding it, and reading its config, throws. */
export async function openStoredImage(
  name: string,
  client: RegistryClient,
  options: ManifestOptions,
  hasIndex: (layer: RemoteLayer) => boolean,
): Promise<StoredImage> {
  const image = await resolveImage(client, name, options);
  const { manifest, resolved } = image;
  const remotes = layersOf(image);
  const isLazy = remotes.map((layer) => layer.tocDigest !== undefined || hasIndex(layer));
  const diffIds = isLazy.includes(true)
    ? diffIdsOf(await configOf(client, image, options), resolved, image.layers.length)
    : [];
  const layers = image.layers.flatMap((named, place) => {
    const [diffId, remote] = [diffIds[place], remotes[place]];
    return !isLazy[place] || diffId === undefined || remote === undefined ? [] : [{ named, diffId, remote }];
  });
  const digests = new Set(image.layers.flatMap(({ digest, tocDigest }) => [digest, tocDigest ?? digest]));
  const config = manifest.config.digest;
  return { resolved, manifests: [manifest.digest, config], config, layers, digests };
}

/** Keeps the config of an image beside its manifest. Throws what finding the image, and reading its config, throws. */
export async function keepConfig(name: string, client: RegistryClient, options: ManifestOptions): Promise<void> {
  await configOf(client, await resolveImage(client, name, options), options);
}

/** The config of an image, kept beside its manifest. */
async function configOf(
  client: RegistryClient,
  { reference, manifest }: ResolvedImage,
  { store }: ManifestOptions,
): Promise<Uint8Array> {
  const { digest } = manifest.config;
  const kept = await store?.get(digest);
  if (kept !== undefined && digestOf(kept) === digest) return kept;
  const config = await readConfig(client, reference, manifest);
  await store?.put(digest, config);
  return config;
}

/**
 * What containers-storage reads of a layer: the JSON of its `Layer`, of which it takes what it does not know already.
 * `digest`, by which it asked: up to podman 5.0 that of the blob, from 5.1 on that of the TOC. Up to 5.0 the size of the layer's tar
 * has to be told. Where the manifest does not, it is that of the files in it, `contentSize`: then `podman save` makes no
 * docker-archive of the image, whose header would have to have it right.
 */
export function describeLayer({ named, diffId }: StoredLayer, digest: string, contentSize: number): string {
  const stated = Number(named.annotations[UNCOMPRESSED_SIZE]);
  const compression = named.mediaType.endsWith('zstd') ? ZSTD : GZIP;
  const byToc = digest === named.tocDigest;
  const facts = byToc
    ? { 'toc-digest': digest, 'diff-size': -1, compression, flags: { 'expected-layer-diffid': diffId } }
    : {
        'compressed-diff-digest': named.digest,
        'compressed-size': named.size,
        'diff-digest': diffId,
        'diff-size': Number.isSafeInteger(stated) && stated > 0 ? stated : contentSize,
        compression,
      };
  return JSON.stringify(facts);
}
