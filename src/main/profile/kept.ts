// SPDX-License-Identifier: GPL-3.0-or-later

/** Profiles in the cache, a file for each image. They stay when what the cache holds of the image goes. */

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CacheLayout } from '../disk/cache-layout.js';
import { keepFile, readKept } from './kept-files.js';
import { formatProfile, MOST_BYTES, type Profile, parseProfile } from './profile.js';

/** Of more images, those whose profiles were written last are kept. */
const MOST_KEPT = 512;

/** The profile of the image with this manifest; undefined: there is none that makes sense. Throws as the file system does. */
export function keptProfile(layout: CacheLayout, image: string): Profile | undefined {
  const profile = readProfile(layout.profile(image));
  return profile?.image === image ? profile : undefined;
}

/** Those of all images. Throws as the file system does. */
export function keptProfiles(layout: CacheLayout): Profile[] {
  const paths = readdirSync(layout.profiles).map((name) => join(layout.profiles, name));
  return paths.map(readProfile).filter((profile) => profile !== undefined);
}

function readProfile(path: string): Profile | undefined {
  return readKept(path, MOST_BYTES, (bytes) => parseProfile(bytes, 'a profile in the cache'));
}

/** Keeps a profile, in place of the one that its image has had. Throws as the file system does. */
export function keepProfile(layout: CacheLayout, profile: Profile): void {
  keepFile(layout, layout.profile(profile.image), formatProfile(profile), MOST_KEPT);
}

/** Returns whether there was one. Throws as the file system does. */
export function removeProfile(layout: CacheLayout, image: string): boolean {
  try {
    rmSync(layout.profile(image));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
