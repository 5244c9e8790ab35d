// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { note, warn } from '../output/tell.js';
import { counted } from '../output/text.js';
import { keepProfile, keptProfiles } from '../profile/kept.js';
import type { Profile } from '../profile/profile.js';
import { mounterFor } from '../run/mounter.js';
import { cacheDirectory, makeCacheDirectory } from '../settings/directories.js';
import { keepStart, keptStart } from '../waterfall/kept.js';
import type { StartRecord } from '../waterfall/record.js';
import { expectRegistry } from './profiled-image.js';
import { addRunOptions, type RunGiven, runImage } from './run.js';
import { stop } from './stop.js';

const HELP = `
Runs a container as \`crfs run\` does, once, with a cache of its own that goes
with it: so nothing of the image is there, and nothing is known of it. What it
reads until it ends, or nothing new for 10 seconds, becomes the image's profile.

Example:
  crfs profile record localhost:5000/img:tag -- python3 -c 'import numpy'`;

const NOTHING_LEFT =
  'nothing of it was read once it was mounted: where its layers have no TOC and no index attached, the mount reads all of ' +
  'them, and `crfs index --push` attaches one';

/** How podman ends where it could not run the program. Programs may end so, too: but those have been read. */
const NOT_STARTED: ReadonlySet<number> = new Set([125, 126, 127]);

/** `crfs profile record` */
export function addProfileRecord(profile: Command): void {
  const command = profile
    .command('record')
    .description('run a container of an image once, and keep what that reads')
    .argument('<image>', 'its name, in a registry');
  addRunOptions(command).addHelpText('after', HELP).action(record);
}

async function record(written: string, words: readonly string[], given: RunGiven, command: Command): Promise<void> {
  expectRegistry(written);
  const layout = new CacheLayout(makeCacheDirectory());
  const program = words[0] === '--' ? words.slice(1) : words;
  const recorded = await inCacheOfItsOwn(() => runImage(written, program, given, command));
  if (NOT_STARTED.has(Number(process.exitCode)) && (recorded?.profile.program ?? null) === null) {
    note(`${written}: the container did not start: nothing is recorded`);
    return;
  }
  if (recorded === undefined && process.exitCode !== 0) return; // whoever runs it has said why
  if (recorded === undefined) throw new CrfsError('CRFS_NOT_FOUND', `${written}: ${NOTHING_LEFT}`);
  const { profile, start } = recorded;
  keepProfile(layout, profile);
  if (start !== undefined) keepStart(layout, start);
  note(`${written}: recorded ${counted(profile.order.length, 'read')}`);
}

interface Recorded {
  readonly profile: Profile;
  readonly start: StartRecord | undefined;
}

/** Runs something that mounts an image, with a cache and a daemon that end with it. Resolves to what was recorded there. */
async function inCacheOfItsOwn(run: () => Promise<void>): Promise<Recorded | undefined> {
  const base = mkdtempSync(join(dirname(cacheDirectory()), 'crfs-record-')); // beside the cache: on a file system that takes images
  const own = { XDG_CACHE_HOME: base, XDG_STATE_HOME: base, CRFS_PROFILES: 'record', CRFS_BACKGROUND: 'off' };
  Object.assign(process.env, own);
  try {
    await run();
    await stop(); // which keeps what was recorded until then
    const layout = new CacheLayout(cacheDirectory());
    const [profile] = keptProfiles(layout);
    return profile && { profile, start: keptStart(layout, profile.image) };
  } finally {
    await stop();
    await mounterFor()
      .removeCache(base)
      .catch((error: Error) => warn(`${base} stays, remove it: ${error.message}`)); // what was recorded is kept all the same
  }
}
