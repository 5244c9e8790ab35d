// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * What is attached to an image in its registry (OCI distribution specification 1.1, "Listing Referrers"), and where the registry
 * knows nothing of that, the index with the tag `sha256-<digest>` that stands for it.
 */

import { hexOf } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { once, retrying } from '../http/retry.js';
import { refusal } from '../http/status.js';
import type { ManifestOptions, RegistryClient } from './client.js';
import { isIndex, MANIFEST_LIMIT, OCI_INDEX, parseIndex } from './manifest.js';
import { formatReference } from './reference.js';
import type { ImageIndex, Reference } from './types.js';

export interface Referrers {
  /** Undefined: nothing was ever attached. */
  readonly index: ImageIndex | undefined;
  /** The tag that the index has to be written under by whoever attaches something; undefined: the registry lists it by itself. */
  readonly tag: string | undefined;
}

/** How to ask. */
export type Manner = Pick<ManifestOptions, 'signal' | 'hurried'>;

/** Of the image with this digest, in the repository of `reference`. Rejects as RegistryClient.getManifest does. */
export async function referrersOf(client: RegistryClient, reference: Reference, digest: string): Promise<Referrers> {
  const listed = await listReferrers(client, reference, digest);
  if (listed !== undefined) return { index: listed, tag: undefined };
  return { index: await taggedReferrers(client, reference, digest), tag: tagOf(digest) };
}

/** As the registry lists them; undefined: it does not know how. Rejects as RegistryClient.getManifest does. */
export async function listReferrers(
  client: RegistryClient,
  reference: Reference,
  digest: string,
  { signal, hurried = false }: Manner = {},
): Promise<ImageIndex | undefined> {
  const endpoint = (await client.pullEndpoints(reference)).at(hurried ? 0 : -1);
  if (endpoint === undefined) return undefined;
  const { repository } = endpoint;
  const name = `what is attached to ${formatReference(reference)}`;
  const ask = async (): Promise<ImageIndex | undefined> => {
    const { response } = await client.host(endpoint).send({
      method: 'GET',
      path: `${repository}/referrers/${digest}`,
      headers: { accept: OCI_INDEX },
      scopes: [{ repository, actions: 'pull' }],
      signal,
    });
    if (response.status === 200) return parseIndex(await response.bytes(MANIFEST_LIMIT), name);
    if (response.status !== 404) throw await refusal(response, name);
    await response.discard();
    return undefined;
  };
  return await retrying(hurried ? once : client.policy, ask, signal);
}

/** As the index says whose tag stands for them; undefined: there is none. Rejects as RegistryClient.getManifest does. */
export async function taggedReferrers(
  client: RegistryClient,
  { registry, repository }: Reference,
  digest: string,
  manner: Manner = {},
): Promise<ImageIndex | undefined> {
  try {
    const found = await client.getManifestOrIndex({ registry, repository, tag: tagOf(digest) }, manner);
    return isIndex(found) ? found : undefined;
  } catch (error) {
    if (error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND') return undefined;
    throw error;
  }
}

function tagOf(digest: string): string {
  return `sha256-${hexOf(digest)}`;
}
