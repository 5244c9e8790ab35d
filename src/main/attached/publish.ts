// SPDX-License-Identifier: GPL-3.0-or-later

/** Puts artifacts into registries: each attached to its image, whose own digests stay as they are. */

import { digestOf } from '../blob/digest.js';
import { writeBlob } from '../images/write-blob.js';
import type { RegistryClient } from '../registry/client.js';
import { OCI_INDEX, OCI_MANIFEST } from '../registry/manifest.js';
import { type Referrers, referrersOf } from '../registry/referrers.js';
import type { ImageManifest, Reference } from '../registry/types.js';
import { openWriter } from '../registry/writer.js';
import { jsonOf } from '../schema/check.js';
import type { OwnKind } from './attached.js';

const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const EMPTY = Buffer.from('{}');

interface Named {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

type Annotations = Readonly<Record<string, string>>;

/** A blob of an artifact. */
export interface Part {
  readonly bytes: Buffer;
  readonly annotations?: Annotations;
}

export interface ToAttach {
  readonly kind: OwnKind;
  /** ISO 8601: when it was made. */
  readonly made: string;
  readonly parts: readonly Part[];
}

/**
 * Attaches an artifact to an image, in place of another one of its kind where the registry does not list by itself what is
 * attached. Resolves to its digest. Rejects with what the registry refuses.
 */
export async function attach(
  client: RegistryClient,
  reference: Reference,
  image: ImageManifest,
  { kind, made, parts }: ToAttach,
): Promise<string> {
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
  const layers: (Named & { readonly annotations?: Annotations })[] = [];
  for (const { bytes, annotations } of parts) {
    layers.push({ ...(await put(kind.type, bytes)), ...(annotations && { annotations }) });
  }
  const annotations = { [kind.made]: made };
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: kind.type,
    config: await put(EMPTY_TYPE, EMPTY),
    layers,
    subject: { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length },
    annotations,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = await writer.putManifest(OCI_MANIFEST, bytes);
  const { index, tag } = await referrersOf(client, reference, image.digest);
  if (tag === undefined) return digest;
  const entry = { mediaType: OCI_MANIFEST, artifactType: kind.type, digest, size: bytes.length, annotations };
  await writer.putManifest(OCI_INDEX, withEntry(index, entry, kind), tag);
  return digest;
}

/** The index as it is, with one artifact of the kind: this one. */
function withEntry(index: ImageIndex | undefined, entry: Named, { made }: OwnKind): Buffer {
  const known =
    index === undefined ? {} : (JSON.parse(Buffer.from(index.bytes).toString()) as { manifests?: Entry[] | null });
  const others = (known.manifests ?? []).filter(({ annotations }) => annotations?.[made] === undefined);
  const written = { schemaVersion: 2, mediaType: OCI_INDEX, ...known, manifests: [...others, entry] };
  return jsonOf(written, { where: 'the index of what is attached to the image', code: 'CRFS_BAD_LAYER' });
}

type ImageIndex = NonNullable<Referrers['index']>;

interface Entry {
  readonly annotations?: Readonly<Record<string, unknown>> | null;
}
