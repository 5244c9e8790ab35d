// SPDX-License-Identifier: GPL-3.0-or-later

import { attach } from '../attached/publish.js';
import type { RegistryClient } from '../registry/client.js';
import type { ImageManifest, Reference } from '../registry/types.js';
import { PROFILES } from './attached.js';
import { formatProfile, type Profile } from './profile.js';

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
