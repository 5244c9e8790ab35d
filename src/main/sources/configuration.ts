// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CrfsError } from '../errors/error.js';
import { warn } from '../output/tell.js';
import type { RegistryClient } from '../registry/client.js';
import { readConfig, resolveImage } from '../registry/image.js';
import { platformWarning } from '../registry/platform.js';
import { formatReference, namesOtherPlace } from '../registry/reference.js';
import type { Platform } from '../registry/types.js';
import { placeOf } from './place.js';

/**
 * The configuration that a person means: a path becomes absolute, an image's name gets its registry and tag, and with
 * `platform` the digest of that platform's image. What starts with `/`, `./` or `../`, or is there as a file, is a path;
 * what has no scheme otherwise, the name of an image. Throws CRFS_USAGE, and what looking an image up throws.
 */
export async function canonicalConfiguration(
  written: string,
  client: () => Promise<RegistryClient>,
  platform?: Platform,
): Promise<string> {
  const kind = kindOf(written);
  if (kind === 'file' && !/^file:/i.test(written)) return resolve(written);
  if (kind === 'file' || kind === 'url') {
    const place = placeOf(written);
    return place.kind === 'file' ? place.path : written;
  }
  if (kind === 'image on disk') return canonicalOnDisk(written, platform);
  try {
    return await canonicalImage(written, await client(), platform);
  } catch (error) {
    if (written.startsWith('docker://') || !(error instanceof CrfsError) || error.code !== 'CRFS_USAGE') throw error;
    throw neitherFileNorImage(written, error);
  }
}

/** Layers are mounted where they lie: that takes files of their own. */
function canonicalOnDisk(written: string, platform: Platform | undefined): string {
  const [, transport, directory, tag = ''] = /^(oci|dir):([^:]+)(:.+)?$/.exec(written) ?? [];
  if (transport === undefined || directory === undefined) {
    const advice = `unpack it: \`skopeo copy ${written} oci:DIR\``;
    throw new CrfsError(
      'CRFS_USAGE',
      `${written}: can be looked into, but not mounted, as its layers are no files: ${advice}`,
    );
  }
  if (platform !== undefined) {
    const advice = 'name it by its digest, oci:DIR:@sha256:…';
    throw new CrfsError('CRFS_USAGE', `${written}: --platform chooses among images of a registry: ${advice}`);
  }
  return `${transport}:${resolve(directory)}${tag}`;
}

export type Kind = 'file' | 'url' | 'image on disk' | 'image in a registry';

/** What a person names, by how it is written, and by whether there is such a file. */
export function kindOf(written: string): Kind {
  if (/^(\.{0,2}\/|\.{1,2}$|file:)/i.test(written)) return 'file';
  if (/^https?:/i.test(written)) return 'url';
  if (/^(oci|dir|oci-archive|docker-archive):/.test(written)) return 'image on disk';
  if (written.startsWith('docker://')) return 'image in a registry';
  return statSync(written, { throwIfNoEntry: false })?.isFile() ? 'file' : 'image in a registry';
}

/** That a person named something that could be a file, `wanted`, or an image, and is neither; `error` says why it is no image. */
export function neitherFileNorImage(written: string, error: CrfsError, wanted = 'layer'): CrfsError {
  if (written === '' || namesOtherPlace(written)) return error;
  const name = JSON.stringify(written);
  const directory = statSync(written, { throwIfNoEntry: false })?.isDirectory();
  const what = directory ? `${name} is a directory, no ${wanted}` : `there is no file ${name}`;
  const why = error.message.startsWith(`${name} `)
    ? error.message.slice(name.length + 1)
    : `is no image: ${error.message}`;
  return new CrfsError(error.code, `${what}, and it ${why}`, { cause: error });
}

async function canonicalImage(name: string, client: RegistryClient, platform: Platform | undefined): Promise<string> {
  const [only, another] = await client.candidates(name);
  if (only !== undefined && another === undefined && platform === undefined) return formatReference(only);
  const { reference, manifest } = await resolveImage(client, name, platform && { platform });
  if (platform === undefined) return formatReference(reference);
  const warning = platformWarning(name, platform, await readConfig(client, reference, manifest));
  if (warning !== undefined) warn(warning);
  return formatReference({ ...reference, digest: manifest.digest });
}

/** A configuration for people to see: without the credentials of a URL. */
export function shownConfiguration(configuration: string): string {
  if (!/^https?:/i.test(configuration) || !URL.canParse(configuration)) return configuration;
  const url = new URL(configuration);
  url.username = '';
  url.password = '';
  return url.href;
}
