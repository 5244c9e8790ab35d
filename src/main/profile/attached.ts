// SPDX-License-Identifier: GPL-3.0-or-later

/** Profiles that are attached to images in registries, where anybody may have put them who may write there. */

import { type Artifact, type Attached, type Kind, newestAttached } from '../attached/attached.js';
import { attach } from '../attached/publish.js';
import { readBlob } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import type { RegistryClient } from '../registry/client.js';
import type { ImageManifest, Reference } from '../registry/types.js';
import { formatProfile, MOST_BYTES, type Profile, parseProfile } from './profile.js';

const PROFILES: Kind = {
  what: 'profile',
  type: 'application/vnd.crfs.profile.v1+json',
  made: 'io.github.crfs-plugin.profile.recorded',
};

/** The profile that was recorded last of those attached to an image; undefined: there is none. Rejects with CRFS_BAD_LAYER for what is no profile of it. */
export async function pullProfile(
  client: RegistryClient,
  reference: Reference,
  image: string,
): Promise<Profile | undefined> {
  const found = await newestAttached(client, reference, image, PROFILES);
  return found && (await read(found, image));
}

/** The same for who has no time: `Attached`. */
export async function findProfile(
  attached: Attached,
  image: string,
  signal: AbortSignal,
): Promise<Profile | undefined> {
  const found = await attached.newest(PROFILES, signal);
  return found && (await read(found, image, signal));
}

/** Attaches a profile to the image that it is of. Rejects with what the registry refuses. */
export async function pushProfile(
  client: RegistryClient,
  reference: Reference,
  image: ImageManifest,
  profile: Profile,
): Promise<void> {
  const parts = [{ bytes: formatProfile(profile) }];
  await attach(client, reference, image, { kind: PROFILES, made: profile.recorded, parts });
}

async function read({ name, manifest, open }: Artifact, image: string, signal?: AbortSignal): Promise<Profile> {
  const layer = manifest.layers.find(({ mediaType }) => mediaType === PROFILES.type);
  if (layer === undefined) throw new CrfsError('CRFS_BAD_LAYER', `${name} has no ${PROFILES.type}`);
  const profile = parseProfile(await readBlob(await open(layer), layer, MOST_BYTES, signal), name);
  if (profile.image !== image) throw new CrfsError('CRFS_BAD_LAYER', `${name} is of another image`);
  return profile;
}
