// SPDX-License-Identifier: GPL-3.0-or-later

import { isDigest } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { readConfig, resolveImage } from '../registry/image.js';
import type { Workspace } from './workspace.js';

/** The config of an image in a registry; `resolved` names it by digest. Throws CRFS_BAD_LAYER for one that is too large. */
export async function configOf(resolved: string, workspace: Workspace): Promise<Buffer> {
  const client = await workspace.client();
  const { reference, manifest } = await resolveImage(client, resolved, { store: workspace.manifests, trusted: true });
  return await readConfig(client, reference, manifest);
}

/**
 * The digests of the uncompressed layers by an image's config, the base first.
 * Throws CRFS_BAD_LAYER for a config that does not say them of all `layers`.
 */
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
  const ids = config?.rootfs?.diff_ids ?? (config?.rootfs && []); // as Go's encoder writes an empty list
  return Array.isArray(ids) && ids.every(isDigest) ? ids : undefined;
}
