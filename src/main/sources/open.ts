// SPDX-License-Identifier: GPL-3.0-or-later

import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CrfsError } from '../errors/error.js';
import type { ManifestOptions, RegistryClient } from '../registry/client.js';
import { resolveImage } from '../registry/image.js';
import type { StreamSource } from '../registry/types.js';
import { openHttpSource } from './http.js';
import type { BlobSource } from './source.js';

/** A layer that can be opened. */
export interface LayerSource {
  /** What to call it in messages. */
  readonly name: string;
  /** Says which bytes the blob has, where that is known before it is opened. */
  readonly digest?: string;
  /** The digest that its TOC must have, where the manifest says so. */
  readonly tocDigest?: string;
  open(): Promise<StreamSource>;
  /** The blob that holds its TOC, if that is kept elsewhere. */
  openToc(): Promise<BlobSource | undefined>;
}

/** What a configuration stands for now. */
export interface RemoteImage {
  /** The configuration that leads to the very same layers again. */
  readonly resolved: string;
  /** The base layer first, as manifests list them. */
  readonly layers: readonly LayerSource[];
}

/** A configuration of a mount, by where its layers are. */
export type Place =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'image'; readonly name: string };

/**
 * Tells what a configuration names: `/path` or `file:///path`, `https://…` or `http://…`, `docker://…`.
 * Throws CRFS_USAGE for anything else.
 */
export function placeOf(configuration: string): Place {
  if (isAbsolute(configuration)) return { kind: 'file', path: configuration };
  if (configuration.startsWith('file:') && URL.canParse(configuration)) {
    return { kind: 'file', path: fileURLToPath(configuration) };
  }
  if (/^https?:\/\//.test(configuration)) return { kind: 'url', url: configuration };
  if (configuration.startsWith('docker://')) return { kind: 'image', name: configuration };
  const known = '/path, file:///path, https://host/path, http://host/path and docker://image';
  throw new CrfsError('CRFS_USAGE', `${configuration} names no layer: known are ${known}`);
}

/** Finds the layers behind a URL or an image's name. Throws a CrfsError that says what is wrong with them. */
export async function openRemote(
  place: Exclude<Place, { kind: 'file' }>,
  client: RegistryClient,
  options: ManifestOptions = {},
): Promise<RemoteImage> {
  if (place.kind === 'url') {
    const { transport, spool, policy } = client;
    const open = async (): Promise<StreamSource> => await openHttpSource(place.url, { transport, spool, policy });
    return { resolved: place.url, layers: [{ name: place.url, open, openToc: async () => undefined }] };
  }
  const image = await resolveImage(client, place.name, options);
  const layers = image.layers.map(({ digest, tocDigest, open }) => ({
    name: `${image.resolved}, layer ${digest}`,
    digest,
    ...(tocDigest === undefined ? {} : { tocDigest }),
    open,
    openToc: async () => await image.externalToc(digest),
  }));
  return { resolved: image.resolved, layers };
}
