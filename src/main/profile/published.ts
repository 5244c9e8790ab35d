// SPDX-License-Identifier: GPL-3.0-or-later

/** Puts profiles into registries: each attached to its image, whose own digests stay as they are. */

import { digestOf } from '../blob/digest.js';
import { writeBlob } from '../images/write-blob.js';
import type { RegistryClient } from '../registry/client.js';
import { OCI_INDEX, OCI_MANIFEST } from '../registry/manifest.js';
import { type Referrers, referrersOf } from '../registry/referrers.js';
import type { ImageManifest, Reference } from '../registry/types.js';
import { openWriter } from '../registry/writer.js';
import { jsonOf } from '../schema/check.js';
import { RECORDED, TYPE } from './attached.js';
import { formatProfile, type Profile } from './profile.js';

const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const EMPTY = Buffer.from('{}');

interface Named {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Attaches a profile to the image that it is of. Rejects with what the registry refuses. */
export async function pushProfile(
  client: RegistryClient,
  reference: Reference,
  image: ImageManifest,
  profile: Profile,
): Promise<void> {
  const writer = await openWriter(client, reference);
  const put = async (mediaType: string, bytes: Buffer): Promise<Named> => {
    const named = { mediaType, digest: digestOf(bytes), size: bytes.length };
    if (await writer.hasBlob(named.digest)) return named;
    return await writeBlob(
      () => writer.beginBlob(),
      async (sink) => {
        await sink.write(bytes);
        return named;
      },
    );
  };
  const annotations = { [RECORDED]: profile.recorded };
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: TYPE,
    config: await put(EMPTY_TYPE, EMPTY),
    layers: [await put(TYPE, formatProfile(profile))],
    subject: { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length },
    annotations,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = await writer.putManifest(OCI_MANIFEST, bytes);
  const { index, tag } = await referrersOf(client, reference, image.digest);
  if (tag === undefined) return;
  const entry = { mediaType: OCI_MANIFEST, artifactType: TYPE, digest, size: bytes.length, annotations };
  await writer.putManifest(OCI_INDEX, withEntry(index, entry), tag);
}

/** The index as it is, with one profile: this one. */
function withEntry(index: ImageIndex | undefined, entry: Named): Buffer {
  const known =
    index === undefined ? {} : (JSON.parse(Buffer.from(index.bytes).toString()) as { manifests?: Entry[] | null });
  const others = (known.manifests ?? []).filter(({ annotations }) => annotations?.[RECORDED] === undefined);
  const written = { schemaVersion: 2, mediaType: OCI_INDEX, ...known, manifests: [...others, entry] };
  return jsonOf(written, { where: 'the index of what is attached to the image', code: 'CRFS_BAD_LAYER' });
}

type ImageIndex = NonNullable<Referrers['index']>;

interface Entry {
  readonly annotations?: Readonly<Record<string, unknown>> | null;
}
