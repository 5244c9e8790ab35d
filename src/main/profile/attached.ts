// SPDX-License-Identifier: GPL-3.0-or-later

/** Profiles that are attached to images in registries, where anybody may have put them who may write there. */

import { readBlob } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { once } from '../http/retry.js';
import { openBlob } from '../registry/blob-source.js';
import type { RegistryClient } from '../registry/client.js';
import { formatReference } from '../registry/reference.js';
import { listReferrers, type Manner, referrersOf, taggedReferrers } from '../registry/referrers.js';
import type { Descriptor, ImageIndex, Reference } from '../registry/types.js';
import { MOST_BYTES, type Profile, parseProfile } from './profile.js';

export const TYPE = 'application/vnd.crfs.profile.v1+json';
/** Says when the start was recorded, in the manifest and in lists of what is attached. */
export const RECORDED = 'io.github.crfs-plugin.profile.recorded';

/** The profile that was recorded last of those attached to an image; undefined: there is none. Rejects with CRFS_BAD_LAYER for what is no profile of it. */
export async function pullProfile(
  client: RegistryClient,
  reference: Reference,
  image: string,
): Promise<Profile | undefined> {
  const { index } = await referrersOf(client, reference, image);
  const newest = newestOf(index);
  return newest && (await fetchProfile(client, reference, newest, image, {}));
}

/**
 * The same for who has no time: both places where it may be named are asked at once, the first that names one counts, of mirrors
 * and the registry only the first is asked, and nothing is tried again. Rejects also with the signal's reason.
 */
export async function findProfile(
  client: RegistryClient,
  reference: Reference,
  image: string,
  signal: AbortSignal,
): Promise<Profile | undefined> {
  const manner = { signal, hurried: true };
  const places = [listReferrers(client, reference, image, manner), taggedReferrers(client, reference, image, manner)];
  const named = places.map(async (place) => {
    const newest = newestOf(await place);
    if (newest === undefined) throw new CrfsError('CRFS_NOT_FOUND', 'no profile is attached');
    return newest;
  });
  const newest = await Promise.any(named).catch((error: AggregateError) => {
    throw error.errors[0];
  });
  return await fetchProfile(client, reference, newest, image, manner);
}

async function fetchProfile(
  client: RegistryClient,
  { registry, repository }: Reference,
  { digest }: Descriptor,
  image: string,
  manner: Manner,
): Promise<Profile> {
  const reference = { registry, repository, digest };
  const name = `the profile ${formatReference(reference)}`;
  const { layers } = await client.getManifest(reference, manner);
  const layer = layers.find(({ mediaType }) => mediaType === TYPE);
  if (layer === undefined) throw new CrfsError('CRFS_BAD_LAYER', `${name} has no ${TYPE}`);
  const blob = await openBlob(client, reference, layer, manner.hurried ? once : client.policy);
  const profile = parseProfile(await readBlob(blob, layer, MOST_BYTES, manner.signal), name);
  if (profile.image !== image) throw new CrfsError('CRFS_BAD_LAYER', `${name} is of another image`);
  return profile;
}

function newestOf(index: ImageIndex | undefined): Descriptor | undefined {
  const [newest] = (index?.manifests ?? [])
    .filter((one) => recordedOf(one) !== '')
    .sort((a, b) => (recordedOf(a) < recordedOf(b) ? 1 : -1));
  return newest;
}

/** Empty for what is no profile. */
function recordedOf({ annotations }: Descriptor): string {
  return annotations[RECORDED] ?? '';
}
