// SPDX-License-Identifier: GPL-3.0-or-later

/** Images as `docker save` writes them: a tar with manifest.json, configs, and layers that are tars, compressed or not. */

import { createHash, type Hash } from 'node:crypto';
import { posix } from 'node:path';
import * as v from 'valibot';
import { digestOf } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import { decompress, isCompressed } from '../compression/decompress.js';
import { CrfsError } from '../errors/error.js';
import { namingBlob } from '../formats/fault.js';
import { diffIdsOf } from '../registry/config.js';
import { DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, MANIFEST_LIMIT, parseManifest } from '../registry/manifest.js';
import { formatReference, parseReference } from '../registry/reference.js';
import type { Descriptor, ImageManifest } from '../registry/types.js';
import { checkJson } from '../schema/check.js';
import { table } from '../schema/schemas.js';
import type { ImageFiles } from './files.js';
import { atPlace, blobPath, noImage } from './layout-source.js';
import type { ImageSource } from './types.js';

const string = v.string('a string');
/** As Go's encoder writes it: null for an empty list. */
const strings = v.pipe(
  v.nullish(v.array(string, 'a list of strings'), []),
  v.transform((given): readonly string[] => given),
);
const savedImages = v.array(table({ Config: string, RepoTags: strings, Layers: strings }), 'a list of images');

type SavedImage = v.InferOutput<typeof savedImages>[number];

/** The file of an archive that lists its images. */
export const MANIFEST_FILE = 'manifest.json';

/**
 * The image with a name in an archive; without one, the only one there is. Rejects with CRFS_NOT_FOUND, CRFS_USAGE,
 * CRFS_BAD_LAYER.
 */
export async function dockerArchiveSource(files: ImageFiles, reference: string | undefined): Promise<ImageSource> {
  const { Config, Layers } = choose(await readImages(files), reference, files.name);
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
  const bytes = await readSmall(files, Config);
  const diffIds = diffIdsOf(bytes, files.name, Layers.length);
  const layers: Omit<Descriptor, 'annotations'>[] = [];
  for (const [index, path] of Layers.entries()) {
    layers.push(await describe(path, DOCKER_LAYER, await digestOfLayer(files, path, diffIds[index] ?? '')));
  }
  const config = await describe(Config, DOCKER_CONFIG, digestOf(bytes));
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

async function holds(files: ImageFiles, path: string): Promise<boolean> {
  try {
    await (await files.open(path)).close();
    return true;
  } catch (error) {
    if (error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND') return false;
    throw error;
  }
}

async function readImages(files: ImageFiles): Promise<readonly SavedImage[]> {
  if (!(await holds(files, MANIFEST_FILE)) && (await holds(files, 'repositories'))) {
    const form = 'it is in the form that docker wrote before 1.10, without manifest.json';
    throw new CrfsError('CRFS_BAD_LAYER', `${files.name}: ${form}: load it with docker, and save it anew`);
  }
  const where = `${files.name} is no image archive: its ${MANIFEST_FILE}`;
  return checkJson(savedImages, await readSmall(files, MANIFEST_FILE), { where, code: 'CRFS_BAD_LAYER' });
}

function choose(images: readonly SavedImage[], reference: string | undefined, name: string): SavedImage {
  const tags = images.map(({ RepoTags }) => RepoTags.join(' ') || '(no name)').join(', ');
  const named = images.filter(({ RepoTags }) => reference === undefined || hasName(RepoTags, reference));
  const [first, ...more] = reference === undefined ? named : [...atPlace(images, reference), ...named];
  const others = more.filter((image) => !isSame(image, first)); // an image may have several names
  if (!first) throw noImage(name, reference, tags);
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

/** What an archive is to call an image: in full, as docker.io's if no registry is named. Throws CRFS_USAGE. */
export function archivedName(text: string): { readonly name: string; readonly tag: string | undefined } {
  const parsed = parseReference(`docker://${text}`);
  if (!('registry' in parsed) || parsed.digest !== undefined)
    throw new CrfsError('CRFS_USAGE', `${text} cannot be written: a digest names what is there already, give a tag`);
  return { name: formatReference(parsed).slice('docker://'.length), tag: parsed.tag };
}

/** The manifest.json for one image of an OCI layout. */
export function manifestFor(manifest: ImageManifest, name: string | undefined): string {
  const image = {
    Config: blobPath(manifest.config.digest),
    RepoTags: name === undefined ? null : [name],
    Layers: manifest.layers.map(({ digest }) => blobPath(digest)),
  };
  return JSON.stringify([image]);
}

async function readSmall(files: ImageFiles, path: string): Promise<Uint8Array> {
  const source = await files.open(posix.normalize(path));
  try {
    if (source.size <= MANIFEST_LIMIT) return await source.read(0, source.size);
    const what = `${path} has ${source.size} bytes, more than ${MANIFEST_LIMIT}`;
    throw new CrfsError('CRFS_BAD_LAYER', `${files.name} is no image archive: ${what}`);
  } finally {
    await source.close();
  }
}
