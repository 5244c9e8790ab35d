// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { noteOf, pinImage } from '../cache/images.js';
import { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { Interruption } from '../errors/interrupted.js';
import { progressOn, silent } from '../output/progress.js';
import { note } from '../output/tell.js';
import { escapeLine, toJson } from '../output/terminal.js';
import { counted, formatBytes } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';
import { kindOf, shownConfiguration } from '../sources/configuration.js';
import { fetchedByDaemon, introductionOf } from './by-daemon.js';
import { canonicalFor } from './canonical.js';
import { addLazyOption, type MountingGiven, mountingEnvironment } from './lazy-option.js';
import { refuseWithoutEffect } from './no-effect.js';
import { addRegistryOptions } from './registry-options.js';
import { platformOption } from './view-options.js';

interface Given extends MountingGiven {
  pin?: boolean;
  platform?: string;
  json?: boolean;
}

const HELP = `
Mounts of it then wait for no network. The daemon fetches; it is started if none
runs. What the cache has already is not fetched again. Of layers without a TOC,
their indexes are made as well.

Examples:
  crfs prefetch localhost:5000/img:tag
  crfs prefetch --pin fedora`;

/** `crfs prefetch` */
export function addPrefetch(program: Command): void {
  const command = program
    .command('prefetch')
    .description('fetch all layers of an image into the cache, without mounting it')
    .argument('<config>', 'an image (docker://fedora, localhost:5000/img:tag), or the URL of a layer')
    .option('--pin', 'keep it, whatever else the cache has to make room for: see `crfs cache unpin`')
    .option(...platformOption);
  addLazyOption(command);
  addRegistryOptions(command)
    .option('--json', 'print JSON, and no progress')
    .addHelpText('after', HELP)
    .action(prefetch);
}

async function prefetch(written: string, given: Given, command: Command): Promise<void> {
  refuseWithoutEffect(command, written);
  const kind = kindOf(written);
  if (kind === 'file' || kind === 'image on disk') {
    throw new CrfsError(
      'CRFS_USAGE',
      `${written} is ${kind === 'file' ? 'a file' : 'on disk'}: there is nothing to fetch`,
    );
  }
  const environment = mountingEnvironment(given);
  const configuration = await tellingIfSlow(
    `looking for ${written}`,
    canonicalFor(written, given.platform, environment),
  );
  const { signal } = new Interruption();
  const progress = given.json ? silent : progressOn(process.stderr);
  const wanted = { configuration, introduction: introductionOf(environment) };
  const { layers, stale } = await fetchedByDaemon(wanted, progress, signal).finally(() => progress.close());
  const layout = new CacheLayout(cacheDirectory());
  const image = noteOf(layout, shownConfiguration(configuration));
  const pinned = image.pinned || given.pin === true;
  if (given.pin) pinImage(layout, image, true);
  const bytes = layers.reduce((sum, { size }) => sum + size, 0);
  const text = `${escapeLine(image.name)}: ${counted(layers.length, 'layer')}, ${formatBytes(bytes)}, all here${pinned ? ', pinned' : ''}`;
  const { name, resolved } = image;
  process.stdout.write(`${given.json ? toJson({ name, resolved, pinned, layers }) : text}\n`);
  if (stale !== undefined) note(stale);
}
