// SPDX-License-Identifier: GPL-3.0-or-later

/** Images in an OCI layout, a directory or an archive of one: OCI image-layout specification. */

import { isDigest, readBlob } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { isImageType, MANIFEST_LIMIT, parseIndex, parseManifest } from '../registry/manifest.js';
import type { Descriptor, ImageIndex, ImageManifest } from '../registry/types.js';
import type { ImageFiles } from './files.js';
import type { ImageSource } from './types.js';

/** The annotation for an image's tag: OCI image specification, "Pre-Defined Annotation Keys". */
export const REF_NAME = 'org.opencontainers.image.ref.name';
/** What podman and containerd take for the name of an image in a layout, before its tag. */
export const FULL_NAME = 'io.containerd.image.name';

/** What `@N` stands for in a list, 0 being the first; nothing if it is written otherwise, or there is no such place. */
export function atPlace<T>(items: readonly T[], written: string): T[] {
  const [, digits] = /^@(\d{1,6})$/.exec(written) ?? [];
  return digits === undefined ? [] : items.slice(Number(digits), Number(digits) + 1);
}

/** The error where no image has the name that was asked for, if one was; `names`: those there are. */
export function noImage(place: string, asked: string | undefined, names: string): CrfsError {
  const what = asked === undefined ? 'no image' : `no image ${asked}; it holds: ${names || 'none'}`;
  return new CrfsError('CRFS_NOT_FOUND', `${place} holds ${what}`);
}

/** Opens a blob that a layout lacks where else it is, if that is known; messages call it by the name. */
export type OpenElsewhere = (descriptor: Descriptor, name: string) => StreamSource | undefined;

/**
 * The image with a tag in a layout; without a tag, the only one there is; by `@sha256:…`, the one whose manifest is that.
 * Rejects with CRFS_NOT_FOUND, CRFS_USAGE.
 */
export async function layoutSource(
  files: ImageFiles,
  tag: string | undefined,
  elsewhere: OpenElsewhere = () => undefined,
): Promise<ImageSource> {
  const digest = tag?.startsWith('@') && isDigest(tag.slice(1)) ? tag.slice(1) : undefined;
  const chosen = digest === undefined ? choose(await readIndex(files), tag, files.name) : undefined;
  const read = async (descriptor: Descriptor): Promise<ImageManifest | ImageIndex> => {
    const source = await files.open(blobPath(descriptor.digest));
    const bytes = await readBlob(source, descriptor, MANIFEST_LIMIT);
    return parseManifest(bytes, descriptor.mediaType, source.name);
  };
  const manifest = async (named: string): Promise<ImageManifest | ImageIndex> => {
    const source = await files.open(blobPath(named));
    await source.close();
    return await read({ mediaType: '', digest: named, size: source.size, annotations: {} });
  };
  return {
    name: tag === undefined ? files.name : `${files.name}:${tag}`,
    top: async () => await (digest !== undefined ? manifest(digest) : read(chosen as Descriptor)),
    manifest,
    async openBlob(descriptor) {
      try {
        return await files.open(blobPath(descriptor.digest));
      } catch (error) {
        const isMissing = error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND';
        const source = isMissing && elsewhere(descriptor, `${files.name}: ${descriptor.digest}`);
        if (source) return source;
        throw error;
      }
    },
    close: () => files.close(),
  };
}

/** Where a layout keeps a blob. */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** The index.json of a layout. Rejects with CRFS_NOT_FOUND, CRFS_BAD_LAYER. */
async function readIndex(files: ImageFiles): Promise<ImageIndex> {
  const source: StreamSource = await files.open('index.json');
  try {
    const bytes = await source.read(0, Math.min(source.size, MANIFEST_LIMIT));
    return parseIndex(bytes, source.name);
  } finally {
    await source.close();
  }
}

/**
 * As containers-transports(5) has it: by name, by place (`@0` is the first), or the only one. Of several with one name, the first
 * that is an image, as podman and skopeo choose.
 */
function choose({ manifests }: ImageIndex, tag: string | undefined, name: string): Descriptor {
  const named = (key: string): readonly Descriptor[] => manifests.filter(({ annotations }) => annotations[key] === tag);
  const fits = tag === undefined ? manifests : [...atPlace(manifests, tag), ...named(REF_NAME), ...named(FULL_NAME)];
  const [first, ...more] = fits;
  const others = more.filter(({ digest }) => digest !== first?.digest); // an image may have several names
  const tags = manifests.map(({ annotations }) => annotations[REF_NAME] ?? '(no tag)').join(', ');
  if (!first) throw noImage(name, tag, tags);
  if (others.length > 0 && tag === undefined) {
    throw new CrfsError('CRFS_USAGE', `${name} holds several images, name one behind a colon: ${tags}`);
  }
  return fits.find(({ mediaType }) => isImageType(mediaType)) ?? first;
}
