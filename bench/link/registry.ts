// SPDX-License-Identifier: GPL-3.0-or-later

/** A registry with the images that are started and pulled. */

import { createHash } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { tocDigestOfEstargz } from '../../src/main/convert/image/toc-digest.js';
import { TOC_DIGEST } from '../../src/main/registry/named-toc.js';
import { fileSource } from '../../src/main/sources/file.js';
import { type Registry, startRegistry } from '../../test/tools/registry.js';
import { type Blob, blobOf, pushImage } from '../../test/tools/registry-image.js';
import type { Undo } from '../undo.js';

const REPOSITORY = 'large';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

type Stop = () => Promise<void>;

export type Tag = 'estargz' | 'prioritized' | 'gzip';

export interface Images {
  readonly port: number;
  /** Where its blobs lie. */
  readonly root: string;
  /** The digest of an image's only layer. */
  readonly blob: Readonly<Record<Tag, string>>;
  stop(): Promise<void>;
}

/** The name of the image in the registry at `host`. */
export function imageName(host: string, tag: Tag): string {
  return `${host}/debian:${tag}`;
}

/** Starts a registry, and fills it with an image of one layer for each tag. `tar` is what the layers hold. */
export async function serveImages(layers: Readonly<Record<Tag, string>>, tar: string, undo: Undo): Promise<Images> {
  const registry: Registry = await startRegistry();
  const stop = undo.add(() => registry.stop());
  const blob = {} as Record<Tag, string>;
  for (const [tag, path] of Object.entries(layers) as [Tag, string][]) {
    const layer = { ...blobOf(LAYER, readFileSync(path)), annotations: await annotationsOf(path) };
    await pushImage({ layers: [layer], config: configOf([await digestOf(tar)]) }, imageName(registry.host, tag));
    blob[tag] = layer.digest;
  }
  return { port: registry.port, root: registry.root, blob, stop };
}

/** What makes the TOC of a layer one that can be trusted, as `crfs stargzify` writes it: podman takes no other. */
async function annotationsOf(path: string): Promise<Record<string, string>> {
  const fd = openSync(path, 'r');
  try {
    const digest = await tocDigestOfEstargz(fileSource(fd, path));
    return digest === undefined ? {} : { [TOC_DIGEST]: digest };
  } finally {
    closeSync(fd);
  }
}

/** Starts a registry, and puts an image of these layers there. Resolves to its name, and what ends the registry. */
export async function serveImage(layers: readonly string[], undo: Undo): Promise<[image: string, stop: Stop]> {
  const registry = await startRegistry();
  const stop = undo.add(() => registry.stop());
  const image = `${registry.host}/layers:${layers.length}`;
  const blobs = layers.map((path) => blobOf(LAYER, readFileSync(path)));
  const diffs = layers.map((path) => blobOf('', gunzipSync(readFileSync(path))).digest);
  await pushImage({ layers: blobs, config: configOf(diffs) }, image);
  return [image, stop];
}

/** The digest of a file. */
async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

/**
 * Starts a registry with blobs that lie at these paths, none of them copied. Resolves to its port, and where each of them is
 * on it.
 */
export async function serveBlobs(
  paths: readonly string[],
  undo: Undo,
): Promise<{ readonly port: number; readonly places: readonly string[]; stop(): Promise<void> }> {
  const registry = await startRegistry();
  const stop = undo.add(() => registry.stop());
  const places: string[] = [];
  for (const path of paths) {
    const digest = await digestOf(path);
    place(registry.root, path, digest.slice('sha256:'.length));
    places.push(`/v2/${REPOSITORY}/blobs/${digest}`);
  }
  return { port: registry.port, places, stop };
}

/** Puts a blob where the registry keeps those that were pushed. */
function place(root: string, path: string, digest: string): void {
  const blobs = join(root, 'docker/registry/v2/blobs/sha256', digest.slice(0, 2), digest);
  const link = join(root, 'docker/registry/v2/repositories', REPOSITORY, '_layers/sha256', digest);
  for (const directory of [blobs, link]) mkdirSync(directory, { recursive: true });
  symlinkSync(path, join(blobs, 'data'));
  writeFileSync(join(link, 'link'), `sha256:${digest}`);
}

function configOf(diffs: readonly string[]): Blob {
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffs } };
  return blobOf('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config)));
}
