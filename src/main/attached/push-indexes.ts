// SPDX-License-Identifier: GPL-3.0-or-later

import type { RegistryClient } from '../registry/client.js';
import type { ImageManifest, Reference } from '../registry/types.js';
import { INDEXES, LAYER } from './indexes.js';
import { attach } from './publish.js';

/** Attaches indexes of layers to an image, by the digests of their blobs. Resolves to the artifact's digest. Rejects with what the registry refuses. */
export async function pushIndexes(
  client: RegistryClient,
  reference: Reference,
  image: ImageManifest,
  indexes: readonly { readonly layer: string; readonly bytes: Buffer }[],
): Promise<string> {
  const parts = indexes.map(({ layer, bytes }) => ({ bytes, annotations: { [LAYER]: layer } }));
  return await attach(client, reference, image, { kind: INDEXES, made: new Date().toISOString(), parts });
}
