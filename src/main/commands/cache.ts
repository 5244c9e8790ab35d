// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { usageOf } from '../cache/list.js';
import { sizeLimit, type Trimmed, trim } from '../cache/trim.js';
import { verifyCache } from '../cache/verify.js';
import { byDaemonOrAlone } from '../daemon/or-alone.js';
import { CacheLayout, kinds } from '../disk/cache-layout.js';
import { mountsByStubs, mountsUnknown } from '../mount/hosts.js';
import { escapeLine } from '../output/terminal.js';
import { formatBytes, formatTable } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';
import { loadSettings } from '../settings/settings.js';
import { addCacheImages } from './cache-images.js';

/** Removing millions of files takes minutes. */
const TRIMS_WITHIN_MS = 3_600_000;

const HELP = `
Examples:
  crfs cache du
  crfs cache ls`;

interface Given {
  json?: boolean;
}

/** `crfs cache du|gc|verify|clear` */
export function addCache(program: Command): void {
  const cache = program
    .command('cache')
    .description('look at the cache, check it, make it smaller')
    .addHelpText('after', HELP);
  const add = (
    name: string,
    description: string,
    example: string,
    run: (layout: CacheLayout) => Promise<[object, string]>,
  ): void => {
    cache
      .command(name)
      .description(description)
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  ${example}`)
      .action(async ({ json }: Given) => {
        const [value, text] = await tellingIfSlow('going through the cache', run(new CacheLayout(cacheDirectory())));
        process.stdout.write(json ? `${JSON.stringify(value)}\n` : text);
      });
  };
  add('du', 'show what the cache takes on the disk', 'crfs cache du', du);
  const gc = 'remove what was not used for longest, until the setting max-size is kept';
  add('gc', gc, 'CRFS_MAX_SIZE=1G crfs cache gc', async (layout) => {
    return describe(await trimTo(layout, sizeLimit(layout, (await loadSettings({}))['max-size'])));
  });
  const check = 'hold everything against its digests, and remove what is bad; exits with 1 if anything was';
  add('verify', check, 'crfs cache verify --json', verify);
  addCacheImages(cache);
  add(
    'clear',
    'remove all that no mount uses, or may be about to use, and no pin keeps',
    'crfs cache clear',
    async (layout) => {
      return describe(await trimTo(layout, 0));
    },
  );
}

async function du(layout: CacheLayout): Promise<[object, string]> {
  const usage = await usageOf(layout);
  const rows = kinds.map((kind) => [kind, String(usage[kind].files), formatBytes(usage[kind].bytes)]);
  const limit = sizeLimit(layout, (await loadSettings({}))['max-size']);
  const total = kinds.reduce((sum, kind) => sum + usage[kind].bytes, 0);
  return [
    { ...usage, total, limit },
    `${formatTable([['KIND', 'FILES', 'SIZE'], ...rows])}${formatBytes(total)} of ${formatBytes(limit)}\n`,
  ];
}

/**
 * Where mounts are without a daemon, which may stay so as long as all that is read is in the cache, nobody knows what these need: only contents go.
 */
async function trimTo(layout: CacheLayout, limit: number): Promise<Trimmed> {
  if ((await mountsUnknown(cacheDirectory())).length > 0) return await trim(layout, limit, 'unknown');
  return await byDaemonOrAlone(`/cache/trim?to=${limit}`, TRIMS_WITHIN_MS, () => trim(layout, limit));
}

function describe(trimmed: Trimmed): [object, string] {
  const { removed, freed, left, pinned, fresh } = trimmed;
  const why =
    (pinned > 0 ? `, ${formatBytes(pinned)} of them for mounts or pinned` : '') +
    (fresh > 0 ? `, ${formatBytes(fresh)} of them used in the last minute` : '');
  return [trimmed, `Removed ${removed} files of ${formatBytes(freed)}; ${formatBytes(left)} are left${why}.\n`];
}

async function verify(layout: CacheLayout): Promise<[object, string]> {
  const verified = await verifyCache(layout);
  const { checked, unverifiable, removed } = verified;
  const lines = removed.map(({ path, why }) => `removed ${path}: ${why}\n`);
  if (removed.length > 0) process.exitCode = 1;
  const mayGoOn = removed.some(({ path }) => path.startsWith(`${layout.objects}/`)) ? goingOn() : [];
  const remount = 'with what they have read of it, until they are unmounted, and mounted again';
  if (mayGoOn.length > 0) lines.push(`These mounts may go on ${remount}: ${mayGoOn.map(escapeLine).join(', ')}\n`);
  const note = unverifiable > 0 ? `, ${unverifiable} of them by their size alone` : '';
  const text = `${lines.join('')}Checked ${checked} files${note}; ${removed.length} were bad.\n`;
  return [{ ...verified, mayGoOn }, text];
}

/** Where mounts are by which the kernel may have objects open that have been removed. */
function goingOn(): string[] {
  return mountsByStubs(cacheDirectory()).map(({ mountpoint }) => mountpoint);
}
