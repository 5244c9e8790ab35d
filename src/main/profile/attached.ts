// SPDX-License-Identifier: GPL-3.0-or-later

/** Profiles that are attached to images in registries, where anybody may have put them who may write there. */

import { type Artifact, type Attached, newestAttached, type OwnKind } from '../attached/attached.js';
import { readBlob } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import type { RegistryClient } from '../registry/client.js';
import type { Reference } from '../registry/types.js';
import { MOST_BYTES, type Profile, parseProfile } from './profile.js';

export const PROFILES: OwnKind = {
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

async function read({ name, manifest, open }: Artifact, image: string, signal?: AbortSignal): Promise<Profile> {
  const layer = manifest.layers.find(({ mediaType }) => mediaType === PROFILES.type);
  if (layer === undefined) throw new CrfsError('CRFS_BAD_LAYER', `${name} has no ${PROFILES.type}`);
  const profile = parseProfile(await readBlob(await open(layer), layer, MOST_BYTES, signal), name);
  if (profile.image !== image) throw new CrfsError('CRFS_BAD_LAYER', `${name} is of another image`);
  return profile;
}
