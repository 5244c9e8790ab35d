// SPDX-License-Identifier: GPL-3.0-or-later

/** Images in registries. */

import { collect } from '../blob/collect.js';
import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { registryImage } from '../policy/subject.js';
import { openBlob } from '../registry/blob-source.js';
import type { RegistryClient } from '../registry/client.js';
import { firstOfCandidates } from '../registry/image.js';
import { formatReference } from '../registry/reference.js';
import type { Reference } from '../registry/types.js';
import { openWriter } from '../registry/writer.js';
import type { ImageDestination, ImageSource } from './types.js';

/** The image that a name stands for: of several places that a short one may mean, the first that has it. */
export async function registrySource(client: RegistryClient, text: string, signal: AbortSignal): Promise<ImageSource> {
  return await firstOfCandidates(client, text, async (reference) => {
    await client.trust.require(registryImage(reference));
    const top = await client.getManifestOrIndex(reference, { signal });
    return sourceOf(client, reference, async () => top, signal);
  });
}

function sourceOf(
  client: RegistryClient,
  reference: Reference,
  top: ImageSource['top'],
  signal: AbortSignal,
): ImageSource {
  return {
    name: formatReference(reference),
    repository: reference,
    top,
    manifest: (digest) => client.getManifestOrIndex({ ...reference, digest }, { signal }),
    openBlob: async (descriptor) => endedBy(signal, await openBlob(client, reference, descriptor)),
    close: async () => undefined,
  };
}

/** A source whose reads end when `signal` aborts. */
export function endedBy(signal: AbortSignal, source: StreamSource): StreamSource {
  const stream: StreamSource['stream'] = (offset, length, inner) =>
    source.stream(offset, length, inner ? AbortSignal.any([signal, inner]) : signal);
  const { name, size } = source;
  const read: StreamSource['read'] = (offset, length) => collect({ size, name, stream }, offset, length);
  return { name, size, stream, read, close: () => source.close() };
}

/** The repository and tag to write. Rejects with CRFS_USAGE for a name by digest. */
export async function registryDestination(
  client: RegistryClient,
  text: string,
  signal: AbortSignal,
): Promise<ImageDestination> {
  const [reference] = await client.candidates(text);
  if (!reference || reference.digest !== undefined) {
    throw new CrfsError('CRFS_USAGE', `${text} cannot be written: a digest names what is there already, give a tag`);
  }
  const writer = await openWriter(client, reference, { signal });
  return {
    name: formatReference(reference),
    ociOnly: false,
    oneImage: false,
    async hasBlob(digest, { repository }) {
      if (await writer.hasBlob(digest)) return true;
      const isNear = repository?.registry === reference.registry && repository.repository !== reference.repository;
      return isNear && (await writer.mountBlob(digest, repository.repository));
    },
    beginBlob: () => writer.beginBlob(),
    async putManifest(mediaType, bytes) {
      await writer.putManifest(mediaType, bytes);
    },
    async publish(mediaType, bytes) {
      await writer.putManifest(mediaType, bytes, reference.tag);
    },
    close: async () => undefined,
  };
}
