// SPDX-License-Identifier: GPL-3.0-or-later

/** How an image wants to be run: as its registry has it, or, where that does not answer, as the cache has it. */

import { readFileSync } from 'node:fs';
import { digestOf } from '../blob/digest.js';
import { cachedImages } from '../cache/images.js';
import { look } from '../daemon/processes.js';
import { takenAsSeenLast } from '../daemon/resolved.js';
import { CacheLayout } from '../disk/cache-layout.js';
import { putFile } from '../disk/put-file.js';
import { CrfsError } from '../errors/error.js';
import { findImage } from '../inspect/image.js';
import type { Workspace } from '../inspect/workspace.js';
import { note } from '../output/tell.js';
import { cacheDirectory } from '../settings/directories.js';
import { kindOf, shownConfiguration } from '../sources/configuration.js';

/** The config; undefined: it is no image. A line tells where it is that of the cache. Throws as finding the image does. */
export async function imageConfig(configuration: string, workspace: Workspace): Promise<Buffer | undefined> {
  try {
    return await (await findImage(configuration, workspace, undefined)).config();
  } catch (error) {
    const kept =
      error instanceof CrfsError && error.code === 'CRFS_UNREACHABLE' ? keptConfig(configuration) : undefined;
    if (kept === undefined) throw error;
    note(takenAsSeenLast((error as CrfsError).message, kept.resolved));
    return kept.config;
  }
}

function keptConfig(configuration: string): { readonly resolved: string; readonly config: Buffer } | undefined {
  const layout = new CacheLayout(cacheDirectory());
  const name = shownConfiguration(configuration);
  const image = cachedImages(layout).find((one) => one.name === name || one.resolved === name);
  if (!image?.config) return undefined;
  const config = look(() => readFileSync(layout.manifest(image.config ?? '')));
  return config !== undefined && digestOf(config) === image.config ? { resolved: image.resolved, config } : undefined;
}

/** Keeps it in the cache, which a mount has made: a later one may find its registry gone. */
export function keepImageConfig(configuration: string, config: Buffer | undefined): void {
  if (config === undefined || kindOf(configuration) !== 'image in a registry') return;
  const layout = new CacheLayout(cacheDirectory());
  look(() => putFile(layout, layout.manifest(digestOf(config)), config)); // what runs does not depend on it
}
