// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync } from 'node:fs';
import type { Command } from 'commander';
import { addon } from '../../native/addon.js';
import { pushIndexes } from '../attached/push-indexes.js';
import type { IndexedHere } from '../daemon/prefetch.js';
import { CacheLayout } from '../disk/cache-layout.js';
import type { Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { Interruption } from '../errors/interrupted.js';
import { isOfUse, portableIndex } from '../index/portable.js';
import { IndexReader } from '../index/reader.js';
import { Workspace } from '../inspect/workspace.js';
import { progressOn, silent } from '../output/progress.js';
import { note } from '../output/tell.js';
import { escapeLine, toJson } from '../output/terminal.js';
import { counted, formatBytes } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { resolveImage } from '../registry/image.js';
import { cacheDirectory } from '../settings/directories.js';
import { kindOf, shownConfiguration } from '../sources/configuration.js';
import { fetchedByDaemon, introductionOf } from './by-daemon.js';
import { canonicalFor } from './canonical.js';
import { refuseWithoutEffect } from './no-effect.js';
import { addRegistryOptions, environmentFor, type RegistryGiven } from './registry-options.js';
import { platformOption } from './view-options.js';

interface Given extends RegistryGiven {
  push?: boolean;
  platform?: string;
  json?: boolean;
}

/** A layer whose index was written for other machines. */
interface Portable {
  readonly layer: string;
  readonly bytes: Buffer;
}

const HELP = `
A layer without a TOC is read as a whole, once, by the daemon, which is started
if none runs: mounts of it here then read no more than is opened. With --push
every other machine finds what came out of that, some 1% of the image, at its
registry, and need not do the same: but for layers of zstd in large frames, as
most are that are written in zstd, where it would be of no use. It exits with 1
if all that it has indexed are such. The image, its digest and its signatures
stay as they are. It takes the right to write there.

Examples:
  crfs index localhost:5000/img:tag
  crfs index --push localhost:5000/img:tag`;

/** `crfs index` */
export function addIndex(program: Command): void {
  const command = program
    .command('index')
    .description('make the indexes of layers that have no TOC, before a mount has to')
    .argument(
      '<config>',
      'an image (docker://fedora, localhost:5000/img:tag, oci:DIR[:TAG], dir:DIR), or the URL of a layer',
    )
    .option('--push', 'attach them to the image in its registry, for other machines')
    .option(...platformOption);
  addRegistryOptions(command)
    .option('--json', 'print JSON, and no progress')
    .addHelpText('after', HELP)
    .action(indexImage);
}

async function indexImage(written: string, given: Given, command: Command): Promise<void> {
  refuseWithoutEffect(command, written);
  const kind = kindOf(written);
  if (kind === 'file') throw new CrfsError('CRFS_USAGE', `${written} is a file: its first mount makes its index`);
  if (given.push && kind !== 'image in a registry') {
    throw new CrfsError('CRFS_USAGE', `${written}: indexes can be attached to images in registries alone`);
  }
  const environment = { ...environmentFor(given), CRFS_LAZY: 'index' };
  const looking = canonicalFor(written, given.platform, environment);
  const configuration = await tellingIfSlow(`looking for ${written}`, looking);
  const { signal } = new Interruption();
  const progress = given.json ? silent : progressOn(process.stderr);
  const wanted = { configuration, introduction: introductionOf(environment), indexes: true };
  const done = await fetchedByDaemon(wanted, progress, signal).finally(() => progress.close());
  const { resolved, indexed, stale } = done;
  if (indexed === undefined) {
    throw new CrfsError('CRFS_USAGE', 'the daemon that runs is older, and makes no indexes: run `crfs daemon`');
  }
  if (stale !== undefined) note(stale);
  const portable = given.push ? await portables(indexed) : [];
  const pushing = portable.length > 0 ? push(resolved, portable, environment) : undefined;
  const attached = pushing && (await tellingIfSlow(`sending the indexes of ${written}`, pushing));
  const name = shownConfiguration(configuration);
  const layers = indexed.map(({ digest, size, kind: format }) => ({ digest, size, format }));
  const json = { name, resolved: shownConfiguration(resolved), attached: attached ?? null, layers };
  const text = `${escapeLine(name)}: ${describe(indexed, portable, given.push === true)}`;
  process.stdout.write(`${given.json ? toJson(json) : text}\n`);
  const isInVain = given.push && portable.length === 0 && indexed.some(({ isPlain }) => isPlain);
  if (isInVain) process.exitCode = 1; // other machines find nothing, which they were to
}

const ADVICE = '`crfs stargzify` makes lazy layers of them';

function describe(indexed: readonly IndexedHere[], portable: readonly Portable[], isPushed: boolean): string {
  const plain = indexed.filter(({ isPlain }) => isPlain).length;
  if (plain === 0) return `all of ${counted(indexed.length, 'layer')} have a TOC: there is nothing to index`;
  const others = plain === indexed.length ? '' : `, ${indexed.length - plain} with a TOC`;
  const bytes = portable.reduce((sum, one) => sum + one.bytes.length, 0);
  const digests = new Set(indexed.filter(({ isPlain }) => isPlain).map(({ digest }) => digest));
  const left = digests.size - portable.length;
  const sent =
    portable.length === 0 ? 'none attached to it' : `${portable.length} attached to it, ${formatBytes(bytes)}`;
  const why = left === 0 ? '' : `: ${left} of zstd in large frames would be of no use there; ${ADVICE}`;
  const where = !isPushed ? '' : `; ${sent}${why}`;
  return `${counted(plain, 'layer')} without a TOC indexed${others}${where}`;
}

/** Those of layers without a TOC, each once. */
async function portables(indexed: readonly IndexedHere[]): Promise<Portable[]> {
  const layout = new CacheLayout(cacheDirectory());
  const found = new Map<string, Portable>();
  for (const { digest, size, isPlain, key } of indexed) {
    if (!isPlain || digest === null || found.has(digest)) continue;
    const bytes = await portableOf(layout.index(key), size);
    if (bytes !== undefined) found.set(digest, { layer: digest, bytes });
  }
  return [...found.values()];
}

/** undefined: it would be of no use. */
async function portableOf(path: string, blobSize: number): Promise<Buffer | undefined> {
  const fd = openSync(path, 'r');
  const mapping = addon.map(fd, false);
  try {
    const wrong = addon.indexCheck(new Uint8Array(mapping));
    if (wrong !== null) throw new CrfsError('CRFS_BAD_LAYER', `${path}: ${wrong}: run \`crfs cache verify\``);
    const reader = new IndexReader(mapping);
    return isOfUse(reader) ? await portableIndex(reader, blobSize) : undefined;
  } finally {
    addon.unmap(mapping);
    closeSync(fd);
  }
}

/** Attaches indexes to the very image whose layers they are of. Resolves to the digest of what was attached. */
async function push(resolved: string, portable: readonly Portable[], environment: Variables): Promise<string> {
  const workspace = new Workspace(environment);
  try {
    const client = await workspace.client();
    const { reference, manifest } = await resolveImage(client, resolved);
    return await pushIndexes(client, reference, manifest, portable);
  } finally {
    await workspace.close();
  }
}
