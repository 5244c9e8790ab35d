// SPDX-License-Identifier: GPL-3.0-or-later

/** Profiles in the cache, a file for each image. They stay when what the cache holds of the image goes. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { CacheLayout } from '../disk/cache-layout.js';
import { makeDirectories } from '../disk/make-directories.js';
import { CrfsError } from '../errors/error.js';
import { formatProfile, MOST_BYTES, type Profile, parseProfile } from './profile.js';

/** Of more images, those whose profiles were written last are kept. */
const MOST_KEPT = 512;

/** The profile of the image with this manifest; undefined: there is none that makes sense. Throws as the file system does. */
export function keptProfile(layout: CacheLayout, image: string): Profile | undefined {
  try {
    const profile = parseProfile(readBounded(layout.profile(image)), 'a profile in the cache');
    return profile.image === image ? profile : undefined;
  } catch (error) {
    if (error instanceof CrfsError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Keeps a profile, in place of the one that its image has had. Throws as the file system does. */
export function keepProfile(layout: CacheLayout, profile: Profile): void {
  makeDirectories(layout.profiles, 0o700);
  const path = layout.profile(profile.image);
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, formatProfile(profile), { mode: 0o600 });
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  removeOldest(layout.profiles);
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

/** A file of any length; of one that is too long for a profile, nothing: that is none. */
function readBounded(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    return fstatSync(fd).size > MOST_BYTES ? Buffer.alloc(0) : readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What was left half-written goes the same way. */
function removeOldest(directory: string): void {
  const paths = readdirSync(directory).map((name) => join(directory, name));
  if (paths.length <= MOST_KEPT) return;
  const oldestFirst = paths
    .map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => a.at - b.at);
  for (const { path } of oldestFirst.slice(0, -MOST_KEPT)) rmSync(path, { force: true });
}
