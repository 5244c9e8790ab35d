// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs cache ls|rm|pin|unpin`: the cache by images. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type CachedImage, cachedImages, indexedRecords, pinImage } from '../cache/images.js';
import { type Presence, presenceOf } from '../cache/presence.js';
import { References } from '../cache/references.js';
import { type Removed, removeImage } from '../cache/remove.js';
import { byDaemonOrAlone } from '../daemon/or-alone.js';
import { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { mountsUnknown } from '../mount/hosts.js';
import { escapeLine, toJson } from '../output/terminal.js';
import { counted, formatBytes, formatTable } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';
import { describePresence, findCached } from './cached-image.js';

/** Contents of an image are hundreds of thousands of files at the most. */
const REMOVES_WITHIN_MS = 600_000;

interface Given {
  json?: boolean;
}

interface GivenToRemove extends Given {
  force?: boolean;
}

interface ListedImage extends Omit<CachedImage, 'used' | 'layers'> {
  /** ISO 8601 */
  readonly used: string;
  readonly layers: readonly (CachedImage['layers'][number] & { readonly cached: Presence })[];
}

/** Adds these commands to `crfs cache`. */
export function addCacheImages(cache: Command): void {
  cache
    .command('ls')
    .description('list the images that the cache knows of, their layers, and how much of each is here')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  crfs cache ls')
    .action(({ json }: Given) => {
      const layout = new CacheLayout(cacheDirectory());
      const images = cachedImages(layout).map((image) => listed(layout, image));
      const others = layersOfNoImage(layout, images);
      process.stdout.write(json ? `${toJson({ images, otherLayers: others })}\n` : render(images, others));
    });
  const add = (
    name: string,
    description: string,
    run: (layout: CacheLayout, image: CachedImage, given: GivenToRemove) => Promise<[object, string]>,
  ): Command =>
    cache
      .command(name)
      .description(description)
      .argument('<image>', 'its name, as `crfs cache ls` lists it or as it was mounted')
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  crfs cache ${name} localhost:5000/img:tag`)
      .action(async (written: string, given: GivenToRemove) => {
        const layout = new CacheLayout(cacheDirectory());
        const image = await findCached(layout, written);
        const [value, text] = await run(layout, image, given);
        process.stdout.write(given.json ? `${toJson(value)}\n` : `${escapeLine(image.name)}: ${text}\n`);
      });
  add('rm', 'remove one image, with what no other image needs of it', async (layout, image, { force }) => {
    const removed = await tellingIfSlow(`removing ${image.name}`, remove(layout, image, force === true));
    const { layers, kept, freed } = removed;
    const shared = kept === 1 ? '; 1 layer is of another image, and stays' : `; ${kept} layers are of others, and stay`;
    const pin = image.pinned ? '; it was pinned' : '';
    return [removed, `removed ${counted(layers, 'layer')}, ${formatBytes(freed)}${kept === 0 ? '' : shared}${pin}`];
  }).option('-f, --force', 'also where a store has noted that podman uses it: for what podman does not have any more');
  add('pin', 'keep what the cache has of an image, whatever else it has to make room for', async (layout, image) => {
    pinImage(layout, image, true);
    const absent = listed(layout, image).layers.some(({ size, cached }) => size !== null && cached.bytes < size);
    return [
      { name: image.name, pinned: true },
      absent ? 'pinned; not all of it is here: see `crfs prefetch`' : 'pinned',
    ];
  });
  add('unpin', 'no longer keep an image', async (layout, image) => {
    pinImage(layout, image, false);
    return [{ name: image.name, pinned: false }, 'no longer pinned'];
  });
}

async function remove(layout: CacheLayout, image: CachedImage, isForced: boolean): Promise<Removed> {
  const [unknown] = await mountsUnknown(cacheDirectory());
  if (unknown !== undefined) {
    const what = `nobody knows whether the mount at ${JSON.stringify(unknown.mountpoint)} needs it, which is without a daemon`;
    throw new CrfsError('CRFS_BUSY', `${image.name}: ${what}: read a file there first`);
  }
  const path = `/cache/remove?image=${encodeURIComponent(image.name)}&force=${isForced}`;
  return await byDaemonOrAlone(path, REMOVES_WITHIN_MS, () =>
    removeImage(layout, image, { mounted: new Set(), references: new References(layout), isForced }),
  );
}

function listed(layout: CacheLayout, { used, layers, ...image }: CachedImage): ListedImage {
  const withPresence = layers.map((layer) => ({ ...layer, cached: presenceOf(layout, layer.identity) }));
  return { ...image, used: new Date(used).toISOString(), layers: withPresence };
}

/** How many layers the cache has that no note speaks of: those of files, or of images whose name stands for another one now. */
function layersOfNoImage(layout: CacheLayout, images: readonly ListedImage[]): number {
  const noted = new Set(
    images.flatMap((image) => [
      ...image.layers.map(({ identity }) => layout.record(identity)),
      ...indexedRecords(layout, image),
    ]),
  );
  const directory = layout.directory('records');
  return recordsIn(directory).filter((path) => !noted.has(path)).length;
}

function recordsIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // no daemon has made the cache yet
    throw error;
  }
}

function render(images: readonly ListedImage[], others: number): string {
  const blocks = images.map(({ name, pinned, used, layers }) => {
    const when = `${used.slice(0, 'yyyy-mm-ddThh:mm'.length).replace('T', ' ')} UTC`;
    const rows = layers.map(({ digest, size, cached }, place) => [
      String(place + 1),
      digest === null ? '-' : digest.slice('sha256:'.length).slice(0, 12),
      size === null ? '?' : formatBytes(size),
      describePresence(cached, size),
    ]);
    const table = formatTable([['LAYER', 'DIGEST', 'SIZE', 'HERE'], ...rows])
      .trimEnd()
      .split('\n');
    const head = `${escapeLine(name)}\n  asked for ${when}${pinned ? ', pinned' : ''}`;
    return `${[head, ...table.map((line) => `  ${line}`)].join('\n')}\n`;
  });
  if (others > 0) blocks.push(`${counted(others, 'layer')} of files, or of images that are not known any more.\n`);
  return blocks.length === 0 ? 'The cache holds no image.\n' : blocks.join('\n');
}
