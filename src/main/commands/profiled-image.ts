// SPDX-License-Identifier: GPL-3.0-or-later

import { digestIn, isDigest } from '../blob/digest.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import type { Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { Workspace } from '../inspect/workspace.js';
import { resolveImage } from '../registry/image.js';
import { kindOf } from '../sources/configuration.js';
import { findCached } from './cached-image.js';

/**
 * The digest of the manifest of an image that a person names: as it was last mounted here, if it was; else as its registry has
 * it. Throws CRFS_USAGE for what is no image in a registry, and what looking it up throws.
 */
export async function profiledImage(layout: CacheLayout, written: string, environment: Variables): Promise<string> {
  if (isDigest(written)) return written;
  expectRegistry(written);
  const known = await findCached(layout, written).catch(orNone);
  const digest = known && digestIn(known.resolved);
  if (digest !== undefined) return digest;
  const workspace = new Workspace(environment);
  try {
    return (await resolveImage(await workspace.client(), written)).manifest.digest;
  } finally {
    await workspace.close();
  }
}

/** Throws CRFS_USAGE for what is no image in a registry. */
export function expectRegistry(written: string): void {
  if (kindOf(written) === 'image in a registry') return;
  throw new CrfsError('CRFS_USAGE', `${written}: only images in registries have profiles`);
}

function orNone(error: unknown): undefined {
  if (error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND') return undefined;
  throw error;
}
