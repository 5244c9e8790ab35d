// SPDX-License-Identifier: GPL-3.0-or-later

/** Manifests and indexes, OCI and Docker schema 2: bytes from strangers, made into checked values. */

import * as v from 'valibot';
import { digestOf, isDigest } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { oneLine } from '../errors/one-line.js';
import { check, parseJson, type Told } from '../schema/check.js';
import { anyTable, strings, table } from '../schema/schemas.js';
import type { ImageIndex, ImageManifest, Platform } from './types.js';

/** Bytes; what registries themselves accept at most (distribution specification, "Pushing Manifests"). */
export const MANIFEST_LIMIT = 4 << 20;

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

/** What manifests of either family call a config, and a layer that is compressed with gzip. */
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
/** One that is compressed with zstd, as only OCI has it. */
export const OCI_LAYER_ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

const MANIFESTS: readonly string[] = [OCI_MANIFEST, DOCKER_MANIFEST];
const INDEXES: readonly string[] = [OCI_INDEX, DOCKER_LIST];

/** Whether a descriptor of this media type names an image or an index of images. */
export function isImageType(mediaType: string): boolean {
  return MANIFESTS.includes(mediaType) || INDEXES.includes(mediaType);
}

/** For the Accept header. */
export const ACCEPTED = [...MANIFESTS, ...INDEXES].join(', ');

const text = v.nullish(v.string('a string'), '');
const descriptorEntries = {
  mediaType: v.pipe(text, v.transform(bareType)),
  digest: v.custom<string>(isDigest, 'sha256: and 64 hex digits'),
  size: v.pipe(v.number('a number of bytes'), v.safeInteger('a number of bytes'), v.minValue(0, 'a number of bytes')),
  annotations: v.nullish(strings, {}),
  urls: v.optional(v.fallback(v.array(v.string()), [])),
};
const descriptor = table(descriptorEntries);

/** What an image is for; nothing where it does not say. */
const platform = v.pipe(
  v.nullish(table({ os: text, architecture: text, variant: text }), {}),
  v.transform(({ os, architecture, variant }): Platform | undefined =>
    os === '' && architecture === '' ? undefined : { os, architecture, ...(variant !== '' && { variant }) },
  ),
);
const indexEntry = v.pipe(
  table({ ...descriptorEntries, platform, artifactType: text }),
  v.transform(({ platform: stated, ...rest }) => ({ ...rest, ...(stated && { platform: stated }) })),
);

const versionSchema = table({
  schemaVersion: v.optional(v.unknown()),
  mediaType: v.pipe(text, v.transform(bareType)),
});
const imageSchema = table({ config: descriptor, layers: listOf(descriptor), annotations: v.nullish(strings, {}) });
const indexSchema = table({ manifests: listOf(indexEntry) });

/** Go's encoder writes null for an empty list. */
function listOf<Item extends v.GenericSchema>(item: Item) {
  return v.nullable(v.array(item, 'a list'), []);
}

/** A media type without parameters; empty if there is none. */
function bareType(type: string): string {
  return (type.split(';', 1)[0] ?? '').trim().toLowerCase().slice(0, 255);
}

/**
 * Parses what a registry served as `contentType`, under `name` in messages. The manifest's own mediaType wins, but what it holds
 * must fit: never both layers and manifests. Throws CRFS_BAD_LAYER.
 */
export function parseManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
  name: string,
): ImageManifest | ImageIndex {
  const told: Told = { where: `the manifest of ${name} is broken`, code: 'CRFS_BAD_LAYER' };
  const bad = (what: string): CrfsError => new CrfsError(told.code, `${told.where}: ${what}`);
  const top = check(anyTable, parseJson(bytes, told), told);
  const { schemaVersion, mediaType: stated } = check(versionSchema, top, told);
  if (schemaVersion === 1) throw bad("it is of Docker's schema 1, which is given up: push the image anew");
  if (schemaVersion !== 2) throw bad('its schema version is not 2; convert the image to a current format');
  const hasManifests = top['manifests'] !== undefined;
  if (hasManifests && (top['layers'] !== undefined || top['config'] !== undefined)) {
    throw bad('it claims to be both an image and an index');
  }
  const mediaType = stated || impliedType(hasManifests, contentType);
  const common = { mediaType, digest: digestOf(bytes), bytes };
  if (INDEXES.includes(mediaType)) return { ...common, ...check(indexSchema, top, told) };
  if (MANIFESTS.includes(mediaType)) return { ...common, ...check(imageSchema, top, told) };
  throw bad(`its media type is ${JSON.stringify(oneLine(mediaType, 100))}, not an image's`);
}

/** The same for what must be an index. */
export function parseIndex(bytes: Uint8Array, name: string): ImageIndex {
  const parsed = parseManifest(bytes, OCI_INDEX, name);
  if (isIndex(parsed)) return parsed;
  throw new CrfsError('CRFS_BAD_LAYER', `${name} is broken: it is no index, but of type ${parsed.mediaType}`);
}

/** OCI manifests need not state their type: then the header tells, or, where it does not (or the manifest was kept), their shape. */
function impliedType(hasManifests: boolean, contentType: string | undefined): string {
  const served = bareType(contentType ?? '');
  if (MANIFESTS.includes(served) || INDEXES.includes(served)) return served;
  return hasManifests ? OCI_INDEX : OCI_MANIFEST;
}

/** Whether it is an index, or manifest list. */
export function isIndex(manifest: ImageManifest | ImageIndex): manifest is ImageIndex {
  return 'manifests' in manifest;
}
