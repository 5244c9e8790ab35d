// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { counted, formatBytes, formatTable } from '../output/text.js';
import { keptProfile, removeProfile } from '../profile/kept.js';
import type { Profile, ProfiledRun } from '../profile/profile.js';
import { cacheDirectory } from '../settings/directories.js';
import { profiledImage } from './profiled-image.js';
import { addRegistryOptions, environmentFor, type RegistryGiven } from './registry-options.js';

interface Given extends RegistryGiven {
  json?: boolean;
}

const HELP = `
A profile says what the first start of an image has read, in which order. Each is
recorded when a new mount of an image is read first, and kept by the digest of the
image's manifest, also where the cache is cleared.`;

/** `crfs profile show|rm` */
export function addProfile(program: Command): void {
  const profile = program
    .command('profile')
    .description('look at what was learned of how images start')
    .addHelpText('after', HELP);
  const add = (
    name: string,
    description: string,
    run: (layout: CacheLayout, image: string, written: string) => [object, string],
  ): void => {
    const command = profile
      .command(name)
      .description(description)
      .argument('<image>', 'its name, as it was mounted, or the digest of its manifest');
    addRegistryOptions(command)
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  crfs profile ${name} localhost:5000/img:tag`)
      .action(async (written: string, given: Given) => {
        const layout = new CacheLayout(cacheDirectory());
        const image = await profiledImage(layout, written, environmentFor(given));
        const [value, text] = run(layout, image, written);
        process.stdout.write(given.json ? `${toJson(value)}\n` : text);
      });
  };
  add('show', 'list what the start of an image reads, in its order', (layout, image, written) => {
    const found = keptProfile(layout, image);
    if (found === undefined) throw noProfile(written);
    return [found, render(found)];
  });
  add('rm', 'forget what was learned of an image', (layout, image, written) => {
    if (!removeProfile(layout, image)) throw noProfile(written);
    return [{ image }, `${escapeLine(written)}: removed its profile\n`];
  });
}

function noProfile(written: string): CrfsError {
  const advice = 'the next mount of it that reads what is not in the cache makes one';
  return new CrfsError('CRFS_NOT_FOUND', `there is no profile of ${written}: ${advice}`);
}

function render({ image, recorded, program, layers, order }: Profile): string {
  const files = new Set(order.map(({ layer, path }) => `${layer} ${path}`)).size;
  const bytes = order.reduce((sum, run) => sum + run.bytes, 0);
  const of = new Set(order.map(({ layer }) => layer)).size;
  const when = `${recorded.slice(0, 'yyyy-mm-ddThh:mm:ss'.length).replace('T', ' ')} UTC`;
  const head = [
    image,
    `  recorded ${escapeLine(when)}${program === null ? '' : `, with ${escapeName(program)}`}`,
    `  ${counted(files, 'file')}, ${formatBytes(bytes)}, from ${of} of ${counted(layers.length, 'layer')}`,
  ];
  const table = formatTable([['AFTER', 'LAYER', 'SIZE', 'FILE'], ...order.map(row)]);
  return `${head.join('\n')}\n${table}`;
}

function row({ layer, path, first, count, bytes, at }: ProfiledRun): string[] {
  const part = first === 0 && count === 1 ? '' : `  chunks ${first + 1} to ${first + count}`;
  return [`${at} ms`, String(layer + 1), formatBytes(bytes), `${escapeName(`/${path}`)}${part}`];
}
