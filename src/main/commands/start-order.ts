// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync, statSync } from 'node:fs';
import { CacheLayout } from '../disk/cache-layout.js';
import type { Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { checkName, namesTransport } from '../images/open.js';
import { Workspace } from '../inspect/workspace.js';
import { tellingIfSlow } from '../output/waiting.js';
import { pullProfile } from '../profile/attached.js';
import { keptProfile } from '../profile/kept.js';
import { MOST_SHOWN, type Profile, parseShown } from '../profile/profile.js';
import { resolveImage } from '../registry/image.js';
import { cacheDirectory } from '../settings/directories.js';
import { neitherFileNorImage } from '../sources/configuration.js';
import { expectRegistry } from './profiled-image.js';
import { environmentsFor, type RegistriesGiven } from './registry-options.js';

const PRINTED = '--profile takes a file with what `crfs profile show --json` prints';

/**
 * The paths that a start reads, each once, in its order: of what `crfs profile show --json` has written into a file, or of an image,
 * of which it is kept here or attached to it. Throws CRFS_NOT_FOUND, CRFS_USAGE, and what asking the registry throws.
 */
export async function startOrderOf(written: string, given: RegistriesGiven): Promise<string[]> {
  const isFile = /^[./]/.test(written) || statSync(written, { throwIfNoEntry: false })?.isFile() === true;
  const profile = isFile ? readShown(written) : await profileOf(written, environmentsFor(given).source);
  return [...new Set(profile.order.map(({ path }) => path))];
}

function readShown(path: string): Profile {
  try {
    const size = statSync(path).size;
    if (size > MOST_SHOWN) throw new CrfsError('CRFS_USAGE', `${path} has ${size} bytes: too many for a profile`);
    return parseShown(readFileSync(path), path);
  } catch (error) {
    if (error instanceof CrfsError) throw new CrfsError(error.code, `${error.message}: ${PRINTED}`, { cause: error });
    throw new CrfsError('CRFS_NOT_FOUND', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

async function profileOf(written: string, environment: Variables): Promise<Profile> {
  expectRegistry(written);
  const workspace = new Workspace(environment);
  try {
    const client = await workspace.client();
    await checkName(written, client).catch((error: CrfsError) => {
      const couldBeFile = error.code === 'CRFS_USAGE' && !namesTransport(written);
      throw couldBeFile ? neitherFileNorImage(written, error, 'profile') : error;
    });
    const { reference, manifest } = await tellingIfSlow(`looking for ${written}`, resolveImage(client, written));
    const found =
      keptProfile(new CacheLayout(cacheDirectory()), manifest.digest) ??
      (await tellingIfSlow(`asking the registry of ${written}`, pullProfile(client, reference, manifest.digest)));
    if (found !== undefined) return found;
    const advice = `\`crfs profile record ${written}\` makes one`;
    throw new CrfsError('CRFS_NOT_FOUND', `there is no profile of ${written}, here or attached to it: ${advice}`);
  } finally {
    await workspace.close();
  }
}
