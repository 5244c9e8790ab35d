// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * What is attached to an image in its registry (OCI distribution specification 1.1, "Listing Referrers"), and where the registry
 * knows nothing of that, the index with the tag `sha256-<digest>` that stands for it.
 */

import { hexOf } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { retrying } from '../http/retry.js';
import { refusal } from '../http/status.js';
import type { RegistryClient } from './client.js';
import { isIndex, MANIFEST_LIMIT, OCI_INDEX, parseIndex } from './manifest.js';
import { formatReference } from './reference.js';
import type { ImageIndex, Reference } from './types.js';

export interface Referrers {
  /** Undefined: nothing was ever attached. */
  readonly index: ImageIndex | undefined;
  /** The tag that the index has to be written under by whoever attaches something; undefined: the registry lists it by itself. */
  readonly tag: string | undefined;
}

/** Of the image with this digest, in the repository of `reference`. Rejects as RegistryClient.getManifest does. */
export async function referrersOf(client: RegistryClient, reference: Reference, digest: string): Promise<Referrers> {
  const listed = await listReferrers(client, reference, digest);
  if (listed !== undefined) return { index: listed, tag: undefined };
  const { registry, repository } = reference;
  const tag = `sha256-${hexOf(digest)}`;
  try {
    const found = await client.getManifestOrIndex({ registry, repository, tag });
    return { index: isIndex(found) ? found : undefined, tag };
  } catch (error) {
    if (error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND') return { index: undefined, tag };
    throw error;
  }
}

/** Undefined: the registry does not know how. */
async function listReferrers(
  client: RegistryClient,
  reference: Reference,
  digest: string,
): Promise<ImageIndex | undefined> {
  const endpoint = (await client.pullEndpoints(reference)).at(-1);
  if (endpoint === undefined) return undefined;
  const { repository } = endpoint;
  const name = `what is attached to ${formatReference(reference)}`;
  return await retrying(client.policy, async () => {
    const { response } = await client.host(endpoint).send({
      method: 'GET',
      path: `${repository}/referrers/${digest}`,
      headers: { accept: OCI_INDEX },
      scopes: [{ repository, actions: 'pull' }],
    });
    if (response.status === 200) return parseIndex(await response.bytes(MANIFEST_LIMIT), name);
    if (response.status !== 404) throw await refusal(response, name);
    await response.discard();
    return undefined;
  });
}
