// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';
import { resolveImage } from '../registry/image.js';
import { isDigest } from '../registry/reference.js';
import type { Workspace } from './workspace.js';

/** Bytes; real ones have some thousand. */
export const CONFIG_LIMIT = 8 << 20;

/**
 * The digests of the uncompressed layers by an image's config, the base first. `resolved` names the image by digest.
 * Throws CRFS_BAD_LAYER for a config that does not say them of all `layers`.
 */
export async function diffIdsOf(resolved: string, layers: number, workspace: Workspace): Promise<string[]> {
  const client = await workspace.client();
  const { reference, manifest } = await resolveImage(client, resolved, { store: workspace.manifests, trusted: true });
  const { config } = manifest;
  if (config.size > CONFIG_LIMIT) throw bad(resolved, `has ${config.size} bytes, more than ${CONFIG_LIMIT}`);
  const pieces: Uint8Array[] = [];
  for await (const piece of client.getBlobStream(reference, config)) pieces.push(piece);
  return diffIdsIn(Buffer.concat(pieces), resolved, layers);
}

/** The same, of the bytes of a config. */
export function diffIdsIn(config: Buffer, image: string, layers: number): string[] {
  const ids = parseDiffIds(config.toString());
  if (ids === undefined) throw bad(image, 'has no rootfs.diff_ids, a list of sha256 digests');
  if (ids.length !== layers) throw bad(image, `names ${ids.length} layers, and the manifest ${layers}`);
  return ids;
}

function bad(image: string, what: string): CrfsError {
  return new CrfsError('CRFS_BAD_LAYER', `the config of ${image} ${what}`);
}

function parseDiffIds(text: string): string[] | undefined {
  let config: { rootfs?: { diff_ids?: unknown } } | null;
  try {
    config = JSON.parse(text) as typeof config;
  } catch {
    return undefined;
  }
  const ids = config?.rootfs?.diff_ids;
  return Array.isArray(ids) && ids.every(isDigest) ? ids : undefined;
}
