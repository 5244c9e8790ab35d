// SPDX-License-Identifier: GPL-3.0-or-later

/** How an image wants to be run: as its registry has it, or, where that does not answer, as the cache has it. */

import { digestOf } from '../blob/digest.js';
import { look } from '../daemon/processes.js';
import { CacheLayout } from '../disk/cache-layout.js';
import { putFile } from '../disk/put-file.js';
import { findImageOrLast } from '../inspect/image.js';
import type { Workspace } from '../inspect/workspace.js';
import { note } from '../output/tell.js';
import { cacheDirectory } from '../settings/directories.js';
import { kindOf } from '../sources/configuration.js';

/** The config; undefined: it is no image. A line tells where it is that of the cache. Throws as finding the image does. */
export async function imageConfig(configuration: string, workspace: Workspace): Promise<Buffer | undefined> {
  const image = await findImageOrLast(configuration, workspace, undefined);
  const config = await image.config();
  if (image.stale !== undefined) note(image.stale);
  return config;
}

/** Keeps it in the cache, which a mount has made: a later one may find its registry gone. */
export function keepImageConfig(configuration: string, config: Buffer | undefined): void {
  if (config === undefined || kindOf(configuration) !== 'image in a registry') return;
  const layout = new CacheLayout(cacheDirectory());
  look(() => putFile(layout, layout.manifest(digestOf(config)), config)); // what runs does not depend on it
}
