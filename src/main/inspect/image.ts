// SPDX-License-Identifier: GPL-3.0-or-later

import pLimit from 'p-limit';
import { digestIn } from '../blob/digest.js';
import { lastSeen, takenAsSeenLast } from '../cache/last-seen.js';
import { CrfsError } from '../errors/error.js';
import { note, warn } from '../output/tell.js';
import type { ManifestOptions, RegistryClient } from '../registry/client.js';
import { diffIdsOf } from '../registry/config.js';
import { parsePlatform, platformWarning } from '../registry/platform.js';
import { formatReference } from '../registry/reference.js';
import { canonicalConfiguration, kindOf, shownConfiguration } from '../sources/configuration.js';
import { identityAt, openFileSource } from '../sources/file.js';
import { openRemote } from '../sources/open.js';
import { placeOf, type RemotePlace } from '../sources/place.js';
import { cachedLayer } from './cached.js';
import { configOf } from './config.js';
import type { AnyLayerSource, FoundImage } from './found-image.js';
import { withIndexes } from './indexed.js';
import { type InspectedLayer, readLayer } from './layer.js';
import { ownCache } from './own-cache.js';
import type { Workspace } from './workspace.js';

/** Layers that are read at the same time. */
const AT_ONCE = 16;

/**
 * Finds the layers that a person names; opens none. `platform` is written like linux/arm64: an image that is for another
 * one, and the only one there is, is found with a warning.
 */
export async function findImage(
  written: string,
  workspace: Workspace,
  platform: string | undefined,
): Promise<FoundImage> {
  const image = await lookUp(written, workspace, platform);
  const config = platform === undefined ? undefined : await image.config();
  const warning = platform && config && platformWarning(image.resolved, parsePlatform(platform), config);
  if (warning) warn(warning);
  return image;
}

/**
 * The same, and where its registry does not answer, what its name stood for last, `stale`: as far as the cache has that, it can be
 * looked into.
 */
export async function findImageOrLast(
  written: string,
  workspace: Workspace,
  platform: string | undefined,
): Promise<FoundImage> {
  try {
    return await findImage(written, workspace, platform);
  } catch (error) {
    const known = platform === undefined ? await knownOf(written, workspace, error) : undefined;
    if (known === undefined) throw error;
    const { name, resolved } = known;
    const stale = takenAsSeenLast((error as CrfsError).message, shownConfiguration(resolved));
    return { ...(await findRemote(placeOf(resolved) as RemotePlace, workspace, { trusted: true }, name)), stale };
  }
}

async function knownOf(
  written: string,
  workspace: Workspace,
  error: unknown,
): Promise<{ readonly name: string; readonly resolved: string } | undefined> {
  const cache = ownCache();
  if (cache === undefined || kindOf(written) !== 'image in a registry') return undefined;
  const candidates = await (await workspace.client()).candidates(written).catch(() => []); // what names no registry
  for (const name of candidates.map(formatReference)) {
    const resolved = lastSeen(cache, name, error);
    if (resolved !== undefined) return { name, resolved };
  }
  return undefined;
}

async function lookUp(written: string, workspace: Workspace, platform: string | undefined): Promise<FoundImage> {
  const client = (): Promise<RegistryClient> => workspace.client();
  const place =
    kindOf(written) === 'image on disk' ? undefined : placeOf(await canonicalConfiguration(written, client));
  if (place === undefined || place.kind === 'directory') {
    const { findLocalImage } = await import('./local-image.js'); // which loads what reads archives
    return await findLocalImage(written, workspace, platform);
  }
  if (place.kind === 'file') {
    const { path } = place;
    const layer = {
      name: path,
      identity: identityAt(path),
      path,
      open: async () => openFileSource(path),
      openToc: async () => undefined,
    };
    return { name: path, resolved: path, layers: [layer], config: async () => undefined, diffIds: async () => [] };
  }
  const options = platform === undefined ? {} : { platform: parsePlatform(platform) };
  return await findRemote(place, workspace, options, place.kind === 'image' ? place.name : place.url);
}

/** `asked`: the configuration that led to `place`, by name where that is by digest. */
async function findRemote(
  place: RemotePlace,
  workspace: Workspace,
  options: ManifestOptions,
  asked: string,
): Promise<FoundImage> {
  const client = await workspace.client();
  const image = await openRemote(place, client, { store: workspace.manifests, ...options });
  const resolved = shownConfiguration(image.resolved);
  const config = async (): Promise<Buffer | undefined> =>
    place.kind === 'image' ? await configOf(resolved, workspace) : undefined;
  const diffIds = async (): Promise<readonly string[]> => {
    const bytes = await config();
    return bytes === undefined ? [] : diffIdsOf(bytes, resolved, image.layers.length);
  };
  const digest = place.kind === 'image' ? resolved.slice(resolved.indexOf('@') + 1) : undefined;
  const layers = digestIn(asked) === undefined ? await withIndexes(image, client) : image.layers;
  const name = shownConfiguration(asked);
  return { name, resolved, layers, ...(digest !== undefined && { digest }), config, diffIds };
}

/**
 * Reads the TOCs of an image's layers that the cache has no index of, several at a time: of all, or of the one that `only` names. The base comes first.
 * `written` is what the image was called.
 */
export async function openLayers(
  image: FoundImage,
  workspace: Workspace,
  only: string | undefined,
  written: string,
  platform: string | undefined,
): Promise<InspectedLayer[]> {
  const remedy = remedyFor(image, written, platform);
  const wanted = only === undefined ? [...image.layers.keys()] : [chooseLayer(image, only, written)];
  return await pLimit(AT_ONCE).map(wanted, async (place) => {
    const layer = image.layers[place] as AnyLayerSource;
    const known = await cachedLayer(layer, place + 1);
    return (
      known ?? (await readLayer(layer, place + 1, await layer.open(), workspace, (line) => note(`${line}${remedy}`)))
    );
  });
}

/** What ends that a layer without a TOC is read each time, to be told behind that; nothing does of what is in an archive. */
function remedyFor({ isArchive, name }: FoundImage, written: string, platform: string | undefined): string {
  if (isArchive) return '';
  if (kindOf(written) === 'file') return '; its first mount ends that';
  return `; \`crfs index ${platform === undefined ? '' : `--platform ${platform} `}${name}\` ends that`;
}

/** The place of the layer that a person names: its number, 1 for the base, or how its digest begins. Throws CRFS_NOT_FOUND. */
function chooseLayer({ layers }: FoundImage, named: string, written: string): number {
  const count = `${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}`;
  if (/^\d{1,5}$/.test(named)) {
    const number = Number(named);
    if (number >= 1 && number <= layers.length) return number - 1;
    const those = layers.length === 1 ? 'only layer 1' : `${count}, of which 1 is the base`;
    throw new CrfsError('CRFS_NOT_FOUND', `${written} has ${those}: there is no layer ${named}`);
  }
  const start = named.startsWith('sha256:') ? named : `sha256:${named}`;
  const fitting = [...layers.keys()].filter((place) => layers[place]?.digest?.startsWith(start));
  if (fitting.length === 1) return fitting[0] as number;
  const how = fitting.length === 0 ? 'none' : 'more than one';
  throw new CrfsError('CRFS_NOT_FOUND', `${written}: of its ${count}, ${how} has a digest that begins with ${start}`);
}
