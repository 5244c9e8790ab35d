// SPDX-License-Identifier: GPL-3.0-or-later

import { type CachedImage, cachedImages, noteOf } from '../cache/images.js';
import type { Presence } from '../cache/presence.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { Workspace } from '../inspect/workspace.js';
import { formatBytes } from '../output/text.js';
import { formatReference } from '../registry/reference.js';
import { kindOf, shownConfiguration } from '../sources/configuration.js';

/**
 * What the cache knows of an image that a person names, in any of the ways to write it: no registry is asked. Throws
 * CRFS_NOT_FOUND, and CRFS_USAGE for what can be no image.
 */
export async function findCached(layout: CacheLayout, written: string): Promise<CachedImage> {
  const known = cachedImages(layout).find(({ name }) => name === written);
  if (known !== undefined) return known;
  if (kindOf(written) !== 'image in a registry') return noteOf(layout, shownConfiguration(written));
  const workspace = new Workspace(process.env);
  try {
    const names = (await (await workspace.client()).candidates(written)).map(formatReference);
    const images = cachedImages(layout);
    return images.find(({ name }) => names.includes(name)) ?? noteOf(layout, names[0] ?? written);
  } finally {
    await workspace.close();
  }
}

/** How much of a layer is here: of its `size`, in bytes, where that is known. */
export function describePresence({ bytes, indexed }: Presence, size: number | null): string {
  if (bytes === 0) return indexed ? 'its index' : '-';
  return size === null || size === 0 ? formatBytes(bytes) : `${Math.floor((bytes / size) * 100)}%`;
}
