// SPDX-License-Identifier: GPL-3.0-or-later

/** Manifests, configs and indexes of an image whose layers have been converted. What is not the layers' stays as it was written. */

import { digestOf } from '../../blob/digest.js';
import { CrfsError } from '../../errors/error.js';
import { diffIdsOf } from '../../registry/config.js';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../../registry/manifest.js';
import type { Descriptor, ImageIndex, ImageManifest } from '../../registry/types.js';
import { checkJson, jsonOf, type Told } from '../../schema/check.js';
import { anyTable } from '../../schema/schemas.js';
import type { LayerResult } from '../layer.js';
import { UNCOMPRESSED_SIZE, verifiable } from '../stargz/annotations.js';

export interface NewLayer {
  readonly descriptor: Descriptor;
  /** Undefined for a layer that is passed through: it keeps the one that it has. */
  readonly diffId: string | undefined;
}

/** Annotations that say how a layer is laid out, and hold for that very blob alone. */
const LAYOUT_ANNOTATIONS = ['containerd.io/snapshot/stargz/', 'io.containers.', 'io.github.containers.'];

/** Media types that go together. */
export interface Family {
  readonly manifest: string;
  readonly index: string;
  readonly config: string;
  readonly layer: string;
}

export const OCI: Family = {
  manifest: OCI_MANIFEST,
  index: OCI_INDEX,
  config: OCI_CONFIG,
  layer: OCI_LAYER,
};

/** Docker's family has no layers that are compressed with zstd. */
export const OCI_ZSTD: Family = { ...OCI, layer: OCI_LAYER_ZSTD };

const DOCKER: Family = {
  manifest: DOCKER_MANIFEST,
  index: DOCKER_LIST,
  config: DOCKER_CONFIG,
  layer: DOCKER_LAYER,
};

/** The family of a manifest or an index. */
export function familyOf({ mediaType }: { readonly mediaType: string }): Family {
  return mediaType === OCI.manifest || mediaType === OCI.index ? OCI : DOCKER;
}

/** What readers of layers take, whatever the layer is compressed with. */
const LAYER_TYPES =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)$/;

/** Throws CRFS_USAGE if a descriptor is not a layer of a container's file system. */
export function requireLayer({ mediaType, digest }: Descriptor, name: string): void {
  if (LAYER_TYPES.test(mediaType)) return;
  const shown = JSON.stringify(mediaType.slice(0, 100));
  throw new CrfsError('CRFS_USAGE', `${name}: ${digest} is of type ${shown}, not a layer that can be converted`);
}

/** The descriptor of a converted layer. */
export function layerDescriptor(old: Descriptor, result: LayerResult, to: Family): Descriptor {
  const kept = Object.entries(old.annotations).filter(
    ([key]) => !LAYOUT_ANNOTATIONS.some((own) => key.startsWith(own)),
  );
  return {
    mediaType: to.layer,
    digest: result.digest,
    size: result.size,
    annotations: { ...Object.fromEntries(kept), ...result.annotations },
  };
}

/** The bytes that a layer inflates to, where its descriptor says so. */
export function statedSize({ annotations }: Descriptor): number | undefined {
  const stated = annotations[UNCOMPRESSED_SIZE] ?? '';
  return /^\d{1,15}$/.test(stated) ? Number(stated) : undefined;
}

/** The descriptor of a layer that is eStargz already, and inflates to `size` bytes. */
export function passedDescriptor(old: Descriptor, toc: string, size: number): Descriptor {
  return { ...old, annotations: { ...old.annotations, ...verifiable(toc, size) } };
}

/**
 * The config with the new layers' DiffIDs; byte for byte the old one if they are the same. Throws CRFS_BAD_LAYER if it has not
 * as many as there are layers.
 */
export function rewriteConfig(config: Uint8Array, layers: readonly NewLayer[], name: string): Uint8Array {
  const diffIds = diffIdsOf(config, name, layers.length);
  const told = tellOf(`the config of ${name}`);
  const parsed = checkJson(anyTable, config, told);
  const changed = layers.map(({ diffId }, index) => diffId ?? diffIds[index]);
  if (changed.every((diffId, index) => diffId === diffIds[index])) return config;
  return jsonOf({ ...parsed, rootfs: { ...(parsed['rootfs'] as object), diff_ids: changed } }, told);
}

/** The manifest with the new config and layers; byte for byte the old one if they are the same. */
export function rewriteManifest(
  manifest: ImageManifest,
  config: Uint8Array,
  layers: readonly NewLayer[],
  to: Family,
): Buffer {
  const isMoved = familyOf(manifest) !== to;
  const same = layers.every(({ descriptor }, index) => isSame(descriptor, manifest.layers[index]));
  if (same && !isMoved && digestOf(config) === manifest.config.digest) return Buffer.from(manifest.bytes);
  const told = tellOf(manifest.digest);
  const parsed = checkJson(anyTable, manifest.bytes, told);
  return jsonOf(
    {
      ...parsed,
      ...(isMoved && { mediaType: to.manifest }),
      config: {
        ...(parsed['config'] as object),
        ...(isMoved && { mediaType: to.config }),
        digest: digestOf(config),
        size: config.length,
      },
      layers: layers.map(({ descriptor }) =>
        withoutEmpty(isMoved ? { ...descriptor, mediaType: to.layer } : descriptor),
      ),
    },
    told,
  );
}

/** What a converted manifest or index has become. */
export interface Rewritten {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** The index with those manifests that were converted, by their old digests, in their new form. */
export function rewriteIndex(index: ImageIndex, converted: ReadonlyMap<string, Rewritten>, to: Family): Buffer {
  const told = tellOf(index.digest);
  const parsed = checkJson(anyTable, index.bytes, told);
  const manifests = (parsed['manifests'] ?? []) as readonly { readonly digest: string }[];
  const changed = manifests.flatMap((entry) => {
    const found = converted.get(entry.digest);
    if (!found) return [];
    return [{ ...entry, mediaType: found.mediaType, digest: digestOf(found.bytes), size: found.bytes.length }];
  });
  const type = familyOf(index) === to ? {} : { mediaType: to.index };
  return jsonOf({ ...parsed, ...type, manifests: changed }, told);
}

function isSame(one: Descriptor, other: Descriptor | undefined): boolean {
  return one.digest === other?.digest && JSON.stringify(one.annotations) === JSON.stringify(other.annotations);
}

/** A descriptor as it is written: without annotations where there are none. */
function withoutEmpty({ annotations, ...descriptor }: Descriptor): object {
  return Object.keys(annotations).length === 0 ? descriptor : { ...descriptor, annotations };
}

function tellOf(where: string): Told {
  return { where, code: 'CRFS_BAD_LAYER' };
}
