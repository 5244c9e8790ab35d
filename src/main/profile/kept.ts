// SPDX-License-Identifier: GPL-3.0-or-later

/** Profiles in the cache, a file for each image. They stay when what the cache holds of the image goes. */

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CacheLayout } from '../disk/cache-layout.js';
import { keepNewest, readBounded } from '../disk/kept-files.js';
import { makeDirectories } from '../disk/make-directories.js';
import { putFile } from '../disk/put-file.js';
import { CrfsError } from '../errors/error.js';
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
  try {
    return parseProfile(readBounded(path, MOST_BYTES), 'a profile in the cache');
  } catch (error) {
    if (error instanceof CrfsError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Keeps a profile, in place of the one that its image has had. Throws as the file system does. */
export function keepProfile(layout: CacheLayout, profile: Profile): void {
  for (const directory of [layout.profiles, layout.tmp]) makeDirectories(directory, 0o700);
  putFile(layout, layout.profile(profile.image), formatProfile(profile));
  keepNewest(layout.profiles, MOST_KEPT);
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
