// SPDX-License-Identifier: GPL-3.0-or-later

/** From a name to the layers that it stands for. */

import { readBlob } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { registryImage } from '../policy/subject.js';
import { openBlob } from './blob-source.js';
import type { ManifestOptions, RegistryClient } from './client.js';
import { type NamedToc, namedToc } from './named-toc.js';
import { formatReference } from './reference.js';
import type { Descriptor, ImageManifest, Reference } from './types.js';

/** eStargz: the layer that a TOC in another image belongs to. */
const LAYER_DIGEST = 'containerd.io/snapshot/stargz/layer.digest';
const TOC_SUFFIX = '-esgztoc';
const TAG_LIMIT = 128;

export interface ImageLayer extends Descriptor, NamedToc {
  /** Opens the blob; the first read makes the first request. */
  open(): Promise<StreamSource>;
}

export interface ResolvedImage {
  readonly reference: Reference;
  /** The canonical name of this very image, by digest: resolving it again leads to the same layers. */
  readonly resolved: string;
  readonly manifest: ImageManifest;
  /** Base first. */
  readonly layers: readonly ImageLayer[];
  /** The blob with the TOC of a layer that keeps it elsewhere, from the image tagged `TAG-esgztoc`; undefined if there is none. */
  externalToc(layerDigest: string): Promise<StreamSource | undefined>;
}

function tocFinder(
  client: RegistryClient,
  reference: Reference,
  options: ManifestOptions,
): ResolvedImage['externalToc'] {
  const { registry, repository, tag } = reference;
  if (tag === undefined || tag.length + TOC_SUFFIX.length > TAG_LIMIT) return async () => undefined;
  const toc = { registry, repository, tag: `${tag}${TOC_SUFFIX}` };
  let found: Promise<ImageManifest | undefined> | undefined;
  const find = async (): Promise<ImageManifest | undefined> => {
    try {
      return await client.getManifest(toc, options);
    } catch (error) {
      if (error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND') return undefined;
      found = undefined; // so that a later call asks again
      throw error;
    }
  };
  return async (layerDigest) => {
    found ??= find();
    const blob = (await found)?.layers.find(({ annotations }) => annotations[LAYER_DIGEST] === layerDigest);
    return blob && (await openBlob(client, toc, blob));
  };
}

/** Bytes; real ones have some thousand. */
export const CONFIG_LIMIT = 8 << 20;

/** The config of an image. Throws CRFS_BAD_LAYER for one that is too large, and what fetching it throws. */
export async function readConfig(
  client: RegistryClient,
  reference: Reference,
  { config }: ImageManifest,
): Promise<Buffer> {
  return await readBlob(await openBlob(client, reference, config), config, CONFIG_LIMIT);
}

async function resolveReference(
  client: RegistryClient,
  reference: Reference,
  options: ManifestOptions,
): Promise<ResolvedImage> {
  if (!options.trusted) await client.trust.require(registryImage(reference));
  const manifest = await client.getManifest(reference, options);
  const name = formatReference(reference);
  const { registry, repository } = reference;
  const layers = manifest.layers.map((layer) => ({
    ...layer,
    ...namedToc(layer, name),
    open: async () => await openBlob(client, reference, layer),
  }));
  const resolved = formatReference({ registry, repository, digest: manifest.digest });
  return { reference, resolved, manifest, layers, externalToc: tocFinder(client, reference, options) };
}

/**
 * Tries what a name as a person writes it may stand for, in order, as podman does: whatever is wrong with one place, the next
 * one is asked. Rejects with what all of them failed with, and the code of the last one.
 */
export async function firstOfCandidates<T>(
  client: RegistryClient,
  text: string,
  attempt: (reference: Reference) => Promise<T>,
): Promise<T> {
  const references = await client.candidates(text);
  const failures: string[] = [];
  for (const reference of references) {
    try {
      return await attempt(reference);
    } catch (error) {
      if (!(error instanceof CrfsError) || references.length === 1) throw error;
      failures.push(error.message);
      if (failures.length === references.length) throw new CrfsError(error.code, failures.join('; '), { cause: error });
    }
  }
  throw new CrfsError('CRFS_INTERNAL', `${text} stands for no name at all`);
}

/**
 * Finds an image by a name (`docker://…`, or bare), for one platform. Layers are not touched: they can be opened all at once.
 * Rejects as RegistryClient.getManifest does, and with CRFS_DENIED where the policy does not accept it.
 */
export async function resolveImage(
  client: RegistryClient,
  text: string,
  options: ManifestOptions = {},
): Promise<ResolvedImage> {
  return await firstOfCandidates(client, text, async (reference) => await resolveReference(client, reference, options));
}
