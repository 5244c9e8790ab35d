// SPDX-License-Identifier: GPL-3.0-or-later

/** Images as `docker save` writes them: a tar with manifest.json, configs, and layers that are tars, compressed or not. */

import { createHash, type Hash } from 'node:crypto';
import { posix } from 'node:path';
import { digestOf, isDigest } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import { decompress, isCompressed } from '../compression/decompress.js';
import { CrfsError } from '../errors/error.js';
import { namingBlob } from '../formats/fault.js';
import { DOCKER_MANIFEST, MANIFEST_LIMIT, parseManifest } from '../registry/manifest.js';
import { formatReference, parseReference } from '../registry/reference.js';
import type { Descriptor, ImageManifest } from '../registry/types.js';
import type { ImageSource } from './ends.js';
import type { ImageFiles } from './files.js';
import { blobPath, placed } from './layout-source.js';

interface SavedImage {
  readonly Config: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers: readonly string[] | null;
}

/** Lists the images of an archive. */
export const manifestFile = 'manifest.json';
const configType = 'application/vnd.docker.container.image.v1+json';
const layerType = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

/**
 * The image with a name in an archive; without one, the only one there is. Rejects with CRFS_NOT_FOUND, CRFS_USAGE,
 * CRFS_BAD_LAYER.
 */
export async function dockerArchiveSource(files: ImageFiles, reference: string | undefined): Promise<ImageSource> {
  const { Config, Layers: listed } = choose(await readImages(files), reference, files.name);
  const Layers = listed ?? []; // as Go's encoder writes an empty list
  const paths = new Map<string, string>();
  const describe = async (
    path: string,
    mediaType: string,
    digest: string,
  ): Promise<Omit<Descriptor, 'annotations'>> => {
    const source = await files.open(posix.normalize(path));
    await source.close();
    paths.set(digest, posix.normalize(path));
    return { mediaType, digest, size: source.size };
  };
  const bytes = await readJson(files, Config);
  const diffIds = diffIdsOf(bytes, files.name);
  if (diffIds.length !== Layers.length) throw broken(files.name, 'its config lists another number of layers');
  const layers: Omit<Descriptor, 'annotations'>[] = [];
  for (const [index, path] of Layers.entries()) {
    layers.push(await describe(path, layerType, await digestOfLayer(files, path, diffIds[index] ?? '')));
  }
  const config = await describe(Config, configType, digestOf(bytes));
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers }));
  return {
    name: reference === undefined ? files.name : `${files.name}:${reference}`,
    top: async () => parseManifest(manifest, DOCKER_MANIFEST, files.name),
    manifest: async (digest): Promise<ImageManifest> => {
      throw new CrfsError('CRFS_NOT_FOUND', `${files.name} holds no manifest ${digest}`);
    },
    openBlob: (descriptor): Promise<StreamSource> => files.open(paths.get(descriptor.digest) ?? ''),
    close: () => files.close(),
  };
}

/** The digest of a layer's blob, which archives do not name: the DiffID if it is not compressed; else what it inflates to is checked. */
async function digestOfLayer(files: ImageFiles, path: string, diffId: string): Promise<string> {
  const source = await files.open(posix.normalize(path));
  try {
    if (!(await isCompressed(source))) return diffId;
    const [blob, tar] = [createHash('sha256'), createHash('sha256')];
    const pieces = source.stream(0, source.size);
    await namingBlob(source.name, async () => {
      for await (const piece of decompress(hashed(pieces, blob))) tar.update(piece);
    });
    const found = `sha256:${tar.digest('hex')}`;
    if (found !== diffId) throw new CrfsError('CRFS_DIGEST', `${source.name} inflates to ${found}, not to ${diffId}`);
    return `sha256:${blob.digest('hex')}`;
  } finally {
    await source.close();
  }
}

async function* hashed(pieces: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
}

async function readImages(files: ImageFiles): Promise<readonly SavedImage[]> {
  const images: unknown = parse(await readJson(files, manifestFile), files.name);
  if (Array.isArray(images) && images.every(isSavedImage)) return images;
  throw broken(files.name, 'its manifest.json does not list images');
}

function isSavedImage(value: unknown): value is SavedImage {
  const { Config, Layers, RepoTags } = (value ?? {}) as Partial<Record<keyof SavedImage, unknown>>;
  return typeof Config === 'string' && isStrings(Layers ?? []) && isStrings(RepoTags ?? []);
}

function isStrings(list: unknown): boolean {
  return Array.isArray(list) && list.every((item) => typeof item === 'string');
}

function choose(images: readonly SavedImage[], reference: string | undefined, name: string): SavedImage {
  const tags = images.map(({ RepoTags }) => (RepoTags ?? []).join(' ') || '(no name)').join(', ');
  const named = images.filter(({ RepoTags }) => reference === undefined || hasName(RepoTags ?? [], reference));
  const [first, ...more] = reference === undefined ? named : [...placed(images, reference), ...named];
  const others = more.filter((image) => !isSame(image, first)); // an image may have several names
  if (!first) throw new CrfsError('CRFS_NOT_FOUND', `${name} holds no image ${reference ?? ''}; it holds: ${tags}`);
  if (others.length > 0) throw new CrfsError('CRFS_USAGE', `${name} holds several images, name one: ${tags}`);
  return first;
}

function isSame(one: SavedImage, other: SavedImage | undefined): boolean {
  return one.Config === other?.Config && JSON.stringify(one.Layers) === JSON.stringify(other.Layers);
}

/** Names are the same with and without the registry, and the tag, that they stand for. */
function hasName(names: readonly string[], reference: string): boolean {
  return names.some((name) => name === reference || canonical(name) === canonical(reference));
}

/** A name in full; one that no image can have, as it is. */
function canonical(name: string): string {
  try {
    return JSON.stringify(parseReference(`docker://${name}`));
  } catch {
    return name;
  }
}

function diffIdsOf(config: Uint8Array, name: string): string[] {
  const { rootfs } = parse(config, name) as { rootfs?: { diff_ids?: unknown } };
  const ids = rootfs?.diff_ids ?? [];
  if (Array.isArray(ids) && ids.every(isDigest)) return ids;
  throw broken(name, 'its config does not list its layers');
}

/** What an archive is to call an image: in full, as docker.io's if no registry is named. Throws CRFS_USAGE. */
export function archivedName(text: string): { readonly name: string; readonly tag: string | undefined } {
  const parsed = parseReference(`docker://${text}`);
  if (!('registry' in parsed) || parsed.digest !== undefined)
    throw new CrfsError('CRFS_USAGE', `${text} cannot be written: a digest names what is there already, give a tag`);
  return { name: formatReference(parsed).slice('docker://'.length), tag: parsed.tag };
}

/** The manifest.json for one image of an OCI layout. */
export function savedImages(manifest: ImageManifest, name: string | undefined): string {
  const image: SavedImage = {
    Config: blobPath(manifest.config.digest),
    RepoTags: name === undefined ? null : [name],
    Layers: manifest.layers.map(({ digest }) => blobPath(digest)),
  };
  return JSON.stringify([image]);
}

async function readJson(files: ImageFiles, path: string): Promise<Uint8Array> {
  const source = await files.open(posix.normalize(path));
  try {
    if (source.size > MANIFEST_LIMIT) throw broken(files.name, `${path} has ${source.size} bytes`);
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

function parse(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw new CrfsError('CRFS_BAD_LAYER', `${name}: its manifest.json or a config is not JSON`, { cause: error });
  }
}

function broken(name: string, what: string): CrfsError {
  return new CrfsError('CRFS_BAD_LAYER', `${name} is no image archive: ${what}`);
}
