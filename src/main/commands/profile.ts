// SPDX-License-Identifier: GPL-3.0-or-later

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { Workspace } from '../inspect/workspace.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { counted, formatBytes, formatTable } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { pullProfile } from '../profile/attached.js';
import { keepProfile, keptProfile, removeProfile } from '../profile/kept.js';
import type { Profile, ProfiledRun } from '../profile/profile.js';
import { pushProfile } from '../profile/published.js';
import type { RegistryClient } from '../registry/client.js';
import { type ResolvedImage, resolveImage } from '../registry/image.js';
import { cacheDirectory } from '../settings/directories.js';
import { removeStart } from '../waterfall/kept.js';
import { htmlOption } from './html-option.js';
import { noProfile } from './no-profile.js';
import { addProfileRecord } from './profile-record.js';
import { expectRegistry, profiledImage } from './profiled-image.js';
import { addRegistryOptions, environmentFor, type RegistryGiven } from './registry-options.js';

interface Given extends RegistryGiven {
  json?: boolean;
  html?: string;
}

const HELP = `
A profile says what the first start of an image has read, in which order. Each
is recorded when a new mount of an image is read first, and kept by the digest
of the image's manifest, also where the cache is cleared. How it went is kept
here, too: with --html, \`show\` makes one page of it.

Layers of plain gzip or zstd are read as a whole when they are mounted first,
unless their index is attached (\`crfs index --push\`): of an image of nothing
else, nothing is left to record.

Examples:
  crfs profile show localhost:5000/img:tag
  crfs profile record localhost:5000/img:tag python3 -c 'print(1)'`;

type Done = readonly [json: object, text: string];

/** `crfs profile show|rm|record|push|pull` */
export function addProfile(program: Command): void {
  const profile = program
    .command('profile')
    .description('look at what was learned of how images start')
    .addHelpText('after', HELP);
  const add = (
    name: string,
    description: string,
    image: string,
    run: (written: string, given: Given, layout: CacheLayout) => Promise<Done>,
  ): Command =>
    addRegistryOptions(profile.command(name).description(description).argument('<image>', image))
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  crfs profile ${name} localhost:5000/img:tag`)
      .action(async (written: string, given: Given) => {
        const [json, text] = await run(written, given, new CacheLayout(cacheDirectory()));
        process.stdout.write(given.json ? `${toJson(json)}\n` : text);
      });
  const known = 'its name, as it was mounted, or the digest of its manifest';
  add('show', 'list what the start of an image reads, in its order', known, async (written, given, layout) => {
    const image = await profiledImage(layout, written, environmentFor(given));
    const found = keptProfile(layout, image);
    if (given.html !== undefined) {
      const { startPageOf } = await import('./start-page.js');
      const page = startPageOf(layout, written, image, found);
      if (page === undefined) throw await noProfile(image, written);
      writeFileSync(given.html, page);
      return [{ image, html: given.html }, `${escapeLine(written)}: wrote ${escapeName(given.html)}\n`];
    }
    if (found === undefined) throw await noProfile(image, written);
    return [found, render(found)];
  }).addOption(htmlOption('write a page that shows how it went: what waited, and for what'));
  add('rm', 'forget what was learned of an image', known, async (written, given, layout) => {
    const image = await profiledImage(layout, written, environmentFor(given));
    removeStart(layout, image);
    if (!removeProfile(layout, image)) throw await noProfile(image, written);
    return [{ image }, `${escapeLine(written)}: removed its profile\n`];
  });
  addProfileRecord(profile.enablePositionalOptions());
  const named = 'its name, in a registry';
  add('push', 'attach what was learned here of an image to it, in its registry', named, (written, given, layout) =>
    inRegistry(written, given, async (client, image) => {
      const found = keptProfile(layout, image.manifest.digest);
      if (found === undefined) throw await noProfile(image.manifest.digest, written, image.resolved);
      await pushProfile(client, image.reference, image.manifest, found);
      return 'attached its profile';
    }),
  );
  add('pull', 'take over what is attached to an image in its registry', named, (written, given, layout) =>
    inRegistry(written, given, async (client, image) => {
      const found = await pullProfile(client, image.reference, image.manifest.digest);
      if (found === undefined) throw new CrfsError('CRFS_NOT_FOUND', `no profile is attached to ${image.resolved}`);
      keepProfile(layout, found);
      return `took over a profile of ${counted(found.order.length, 'read')}`;
    }),
  );
}

/** Does something with an image by its name: the registry is asked, whatever was last mounted here by it. */
async function inRegistry(
  written: string,
  given: Given,
  run: (client: RegistryClient, image: ResolvedImage) => Promise<string>,
): Promise<Done> {
  expectRegistry(written);
  const workspace = new Workspace(environmentFor(given));
  try {
    const client = await workspace.client();
    const image = await tellingIfSlow(`looking for ${written}`, resolveImage(client, written));
    const said = await tellingIfSlow(`asking the registry of ${written}`, run(client, image));
    return [{ image: image.manifest.digest }, `${escapeLine(written)}: ${said}\n`];
  } finally {
    await workspace.close();
  }
}

function render({ image, recorded, program, layers, order }: Profile): string {
  const files = new Set(order.map(({ layer, path }) => `${layer} ${path}`)).size;
  const bytes = order.reduce((sum, run) => sum + run.bytes, 0);
  const of = new Set(order.map(({ layer }) => layer)).size;
  const when = `${recorded.slice(0, 'yyyy-mm-ddThh:mm:ss'.length).replace('T', ' ')} UTC`;
  const head = [
    image,
    `  recorded ${escapeLine(when)}${program === null ? '' : `, with ${escapeName(program)}`}`,
    `  ${counted(files, 'file')}, for each by itself ${formatBytes(bytes)} together, from ${of} of ${counted(layers.length, 'layer')}`,
  ];
  const table = formatTable([['AFTER', 'LAYER', 'FETCHES', 'FILE'], ...order.map(row)]);
  return `${head.join('\n')}\n${table}`;
}

function row({ layer, path, first, count, bytes, at }: ProfiledRun): string[] {
  const part = first === 0 && count === 1 ? '' : `  chunks ${first + 1} to ${first + count}`;
  return [`${at} ms`, String(layer + 1), formatBytes(bytes), `${escapeName(`/${path}`)}${part}`];
}
