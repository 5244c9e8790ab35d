// SPDX-License-Identifier: GPL-3.0-or-later

import { Attached } from '../attached/attached.js';
import { AttachedIndexes } from '../attached/indexes.js';
import { digestIn } from '../blob/digest.js';
import { indexedIdentity } from '../cache/records.js';
import { findProfile } from '../profile/attached.js';
import type { RegistryClient } from '../registry/client.js';
import type { RemoteImage, RemoteLayer } from '../sources/open.js';
import type { IndexedLayer, NamedImage } from './resolved.js';

/** What may be attached to an image in its registry, which is asked at most once for all of it; undefined: it is no such image. */
export function attachedTo(
  client: RegistryClient,
  { resolved, reference, sociIndex }: RemoteImage,
): { readonly image: NamedImage; indexOf(layer: RemoteLayer): IndexedLayer } | undefined {
  const digest = digestIn(resolved);
  if (reference === undefined || digest === undefined) return undefined;
  const attached = new Attached(client, reference, digest);
  const indexes = new AttachedIndexes(attached, sociIndex);
  return {
    image: { digest, attached: async (signal) => await findProfile(attached, digest, signal) },
    indexOf: (layer) => ({
      identity: indexedIdentity(layer.identity, resolved),
      begin: () => indexes.begin(),
      find: async (signal) => (layer.digest === undefined ? undefined : await indexes.of(layer.digest, signal)),
    }),
  };
}
