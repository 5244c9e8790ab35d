// SPDX-License-Identifier: GPL-3.0-or-later

import { digestOf } from '../blob/digest.js';
import { readConfig, resolveImage } from '../registry/image.js';
import type { Workspace } from './workspace.js';

/** The config of an image in a registry; `resolved` names it by digest. Throws CRFS_BAD_LAYER for one that is too large. */
export async function configOf(resolved: string, workspace: Workspace): Promise<Buffer> {
  const client = await workspace.client();
  const { reference, manifest } = await resolveImage(client, resolved, { store: workspace.manifests, trusted: true });
  const { digest } = manifest.config;
  const kept = await workspace.manifests.get(digest);
  if (kept !== undefined && digestOf(kept) === digest) return Buffer.from(kept);
  return await readConfig(client, reference, manifest);
}
