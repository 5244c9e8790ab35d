// SPDX-License-Identifier: GPL-3.0-or-later

import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { noteOf, pinImage } from '../cache/images.js';
import type { Refusal } from '../daemon/api.js';
import { askStatus, followDaemon } from '../daemon/ask.js';
import type { Prefetched, ToPrefetch } from '../daemon/prefetch.js';
import { CacheLayout } from '../disk/cache-layout.js';
import type { Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { Interruption } from '../errors/interrupted.js';
import { type Progress, progressOn, type Step, silent } from '../output/progress.js';
import { note } from '../output/tell.js';
import { escapeLine, toJson } from '../output/terminal.js';
import { counted, formatBytes, shortenDigests } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';
import { kindOf, shownConfiguration } from '../sources/configuration.js';
import { canonicalFor } from './canonical.js';
import { startDaemon } from './daemon.js';
import { addLazyOption, type MountingGiven, mountingEnvironment } from './lazy-option.js';
import { refuseWithoutEffect } from './no-effect.js';
import { readsOn } from './reads.js';
import { addRegistryOptions } from './registry-options.js';
import { platformOption } from './view-options.js';

interface Given extends MountingGiven {
  pin?: boolean;
  platform?: string;
  json?: boolean;
}

type Layers = Extract<Prefetched, { readonly layers: unknown }>['layers'];

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
  if (kindOf(written) === 'file') throw new CrfsError('CRFS_USAGE', `${written} is a file: there is nothing to fetch`);
  const environment = mountingEnvironment(given);
  const configuration = await tellingIfSlow(
    `looking for ${written}`,
    canonicalFor(written, given.platform, environment),
  );
  const { signal } = new Interruption();
  const progress = given.json ? silent : progressOn(process.stderr);
  const wanted = { configuration, introduction: introductionOf(environment) };
  const { layers, stale } = await fetched(wanted, progress, signal).finally(() => progress.close());
  const layout = new CacheLayout(cacheDirectory());
  const pinned = given.pin === true;
  const image = noteOf(layout, shownConfiguration(configuration));
  if (pinned) pinImage(layout, image, true);
  const bytes = layers.reduce((sum, { size }) => sum + size, 0);
  const text = `${escapeLine(image.name)}: ${counted(layers.length, 'layer')}, ${formatBytes(bytes)}, all here${pinned ? ', pinned' : ''}`;
  const { name, resolved } = image;
  process.stdout.write(`${given.json ? toJson({ name, resolved, pinned, layers }) : text}\n`);
  if (stale !== undefined) note(stale);
}

/** As a mount introduces itself, that is at no mountpoint. */
function introductionOf(environment: Variables): string {
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  return ['?', process.cwd(), ...variables].join('\0');
}

/** Has the daemon fetch all. Resolves to the layers, and `Resolved.stale`; rejects with what keeps it from that. */
async function fetched(
  wanted: ToPrefetch,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ readonly layers: Layers; readonly stale: string | undefined }> {
  if ((await askStatus()) === undefined) await startDaemon([]);
  const steps: Step[] = [];
  const showReads = readsOn(progress);
  let layers: Layers = [];
  try {
    const lines = await followDaemon('/prefetch', signal, JSON.stringify(wanted));
    if (typeof lines !== 'object') {
      throw new CrfsError('CRFS_USAGE', 'the daemon that runs is older, and cannot prefetch: run `crfs daemon`');
    }
    for await (const line of createInterface({ input: Readable.from(lines) })) {
      const told = JSON.parse(line) as Prefetched;
      if ('error' in told) throw namingImage(told.error, wanted.configuration);
      if ('done' in told) return { layers, stale: told.done.stale };
      if ('reading' in told) {
        showReads(told.reading);
        continue;
      }
      showReads([]);
      for (const [place, { name, size, present }] of told.layers.entries()) {
        const step = (steps[place] ??= progress.start(shortenDigests(name), size));
        step.advance(present - (layers[place]?.present ?? 0));
      }
      layers = told.layers;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  signal.throwIfAborted();
  throw new CrfsError('CRFS_UNREACHABLE', 'the daemon has ended: try again, what is here stays');
}

function namingImage({ code, message }: Refusal['error'], configuration: string): CrfsError {
  const name = shownConfiguration(configuration);
  return new CrfsError(code, message.includes(name) ? message : `${name}: ${message}`);
}
