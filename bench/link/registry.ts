// SPDX-License-Identifier: GPL-3.0-or-later

/** A registry with the images that are started and pulled. */

import { createHash } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tocDigestOfEstargz } from '../../src/main/convert/image/toc-digest.js';
import { TOC_DIGEST } from '../../src/main/registry/named-toc.js';
import { fileSource } from '../../src/main/sources/file.js';
import { type Registry, startRegistry } from '../../test/tools/registry.js';
import { type Blob, blobOf, pushImage } from '../../test/tools/registry-image.js';
import { run } from '../../test/tools/run.js';
import type { Undo } from '../undo.js';

const REPOSITORY = 'large';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

export interface Images<Tag extends string = string> {
  readonly port: number;
  /** Where its blobs lie. */
  readonly root: string;
  /** The digest of an image's first layer. */
  readonly blob: Readonly<Record<Tag, string>>;
  stop(): Promise<void>;
}

/** The name of the image in the registry at `host`. */
export function imageName(host: string, tag: string): string {
  return `${host}/debian:${tag}`;
}

/**
 * Starts a registry, and fills it with an image for each tag, given by the paths of its layers, the base first. Images differ
 * by their tags alone where they have the same layers: each has a manifest of its own.
 */
export async function serveImages<Tag extends string>(
  images: Readonly<Record<Tag, readonly string[]>>,
  undo: Undo,
): Promise<Images<Tag>> {
  const registry: Registry = await startRegistry();
  const stop = undo.add(() => registry.stop());
  const known = new Map<string, Layer>();
  const blob = {} as Record<Tag, string>;
  for (const [tag, paths] of Object.entries(images) as [Tag, readonly string[]][]) {
    const layers: Layer[] = [];
    for (const path of paths) {
      const layer = known.get(path) ?? (await layerOf(path));
      known.set(path, layer);
      layers.push(layer);
    }
    const config = configOf(
      tag,
      layers.map(({ diff }) => diff),
    );
    await pushImage({ layers: layers.map((layer) => layer.blob), config }, imageName(registry.host, tag));
    blob[tag] = layers[0]?.blob.digest ?? '';
  }
  return { port: registry.port, root: registry.root, blob, stop };
}

interface Layer {
  readonly blob: Blob;
  /** The digest of what it holds, unpacked. */
  readonly diff: string;
}

async function layerOf(path: string): Promise<Layer> {
  const sum = await run('bash', ['-o', 'pipefail', '-c', 'gzip -dc "$1" | sha256sum', 'bash', path]);
  const blob = { ...blobOf(LAYER, readFileSync(path)), annotations: await annotationsOf(path) };
  return { blob, diff: `sha256:${String(sum).slice(0, 64)}` };
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

function configOf(tag: string, diffs: readonly string[]): Blob {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { tag } },
    rootfs: { type: 'layers', diff_ids: diffs },
  };
  return blobOf('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config)));
}
