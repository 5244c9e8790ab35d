// SPDX-License-Identifier: GPL-3.0-or-later

import { randomUUID } from 'node:crypto';
import { isDigest } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import type { ManifestOptions, RegistryClient } from '../registry/client.js';
import { type ResolvedImage, resolveImage } from '../registry/image.js';
import type { NamedToc } from '../registry/named-toc.js';
import type { Reference } from '../registry/types.js';
import { openHttpSource } from './http.js';
import type { RemotePlace } from './place.js';

/** Of an image's manifest (soci-snapshotter, soci/soci_index.go). */
const SOCI_INDEX = 'com.amazon.soci.index-digest';

/** A layer that can be opened. */
export interface LayerSource extends NamedToc {
  /** What to call it in messages. */
  readonly name: string;
  /** Says which bytes the blob has: equal identities, equal bytes. Not the digest alone: another host's word for it. */
  readonly identity: string;
  /** Of the blob, where a manifest names it. */
  readonly digest?: string;
  /** Of the blob, in bytes, where a manifest says it. */
  readonly size?: number;
  open(): Promise<StreamSource>;
  /** The blob that holds its TOC, if that is kept elsewhere. */
  openToc(): Promise<StreamSource | undefined>;
}

/** A layer that comes over the network. */
export interface RemoteLayer extends LayerSource {
  /** Where it is asked for: equal origins answer alike. */
  readonly origin: string;
}

/** What a configuration stands for now. */
export interface RemoteImage {
  /** The configuration that leads to the very same layers again. */
  readonly resolved: string;
  /** The digest of the image's config; null: it is no image. */
  readonly config: string | null;
  /** The digest of an index by SOCI that its manifest names. */
  readonly sociIndex?: string;
  /** Where it is asked for; undefined: it is in no registry. */
  readonly reference?: Reference;
  /** The base layer first, as manifests list them. */
  readonly layers: readonly RemoteLayer[];
}

/** Finds the layers behind a URL or an image's name. Throws a CrfsError that says what is wrong with them. */
export async function openRemote(
  place: RemotePlace,
  client: RegistryClient,
  options: ManifestOptions = {},
): Promise<RemoteImage> {
  if (place.kind === 'url') {
    const { transport, spool, policy, insecure = false } = client;
    const source = await openHttpSource(place.url, { transport, spool, policy, insecure });
    const { name } = source; // without credentials
    const identity = `url ${name} ${source.size} ${source.validator ?? randomUUID()}`;
    const layer = { name, identity, origin: name, open: async () => source, openToc: async () => undefined };
    return { resolved: place.url, config: null, layers: [layer] };
  }
  const image = await resolveImage(client, place.name, options);
  const { resolved, reference, manifest } = image;
  const sociIndex = manifest.annotations[SOCI_INDEX];
  return {
    resolved,
    config: manifest.config.digest,
    ...(isDigest(sociIndex) ? { sociIndex } : {}),
    reference,
    layers: layersOf(image),
  };
}

/** The layers of an image, to be opened. */
export function layersOf(image: ResolvedImage): RemoteLayer[] {
  const { registry, repository } = image.reference;
  return image.layers.map((layer) => ({
    name: `layer ${layer.digest}`,
    identity: `${layer.digest} of ${registry}`,
    origin: `${registry}/${repository}`,
    digest: layer.digest,
    size: layer.size,
    ...(layer.tocDigest === undefined ? {} : { tocDigest: layer.tocDigest }),
    ...(layer.tocPosition === undefined ? {} : { tocPosition: layer.tocPosition }),
    open: async () => await layer.open(),
    openToc: async () => await image.externalToc(layer.digest),
  }));
}
