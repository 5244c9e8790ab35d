// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes that are attached to an image in its registry, for who looks into it: taken where a mount takes them, docs/plain-layers.md. */

import { Attached } from '../attached/attached.js';
import { findInTime } from '../attached/fetch-index.js';
import { AttachedIndexes } from '../attached/indexes.js';
import { digestIn } from '../blob/digest.js';
import { indexedIdentity } from '../cache/records.js';
import { CrfsError } from '../errors/error.js';
import type { RegistryClient } from '../registry/client.js';
import { loadSettings } from '../settings/settings.js';
import type { RemoteImage } from '../sources/open.js';
import type { AnyLayerSource } from './found-image.js';

/** The layers of an image that was asked for by a name, each with where its index may be; the registry is asked at most once, and not yet. */
export async function withIndexes(
  { resolved, reference, sociIndex, layers }: RemoteImage,
  client: RegistryClient,
): Promise<readonly AnyLayerSource[]> {
  const image = digestIn(resolved);
  if (reference === undefined || image === undefined || (await loadSettings({})).indexes === 'off') return layers;
  const indexes = new AttachedIndexes(new Attached(client, reference, image), sociIndex);
  return layers.map((layer) => ({
    ...layer,
    indexed: {
      identity: indexedIdentity(layer.identity, resolved),
      find: async () => {
        try {
          return await findInTime((signal) => indexes.of(layer.digest ?? '', signal));
        } catch (error) {
          if (error instanceof CrfsError) return undefined;
          throw error;
        }
      },
    },
  }));
}
