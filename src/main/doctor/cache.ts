// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether there is room for what is fetched, and somebody to fetch it. */

import { accessSync, constants } from 'node:fs';
import { usageOf } from '../cache/list.js';
import { sizeLimit } from '../cache/trim.js';
import { askDaemon } from '../daemon/ask.js';
import type { Status } from '../daemon/status.js';
import { CacheLayout, kinds } from '../disk/cache-layout.js';
import { freeSpace } from '../disk/free-space.js';
import { nearestDirectory } from '../disk/nearest-directory.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { formatBytes } from '../output/text.js';
import { cacheDirectory } from '../settings/directories.js';
import type { Settings } from '../settings/options.js';
import { bad, type Finding, note, ok } from './check.js';

/** Below this a layer of usual size finds no room, in bytes. */
const LITTLE = 1 << 30;

/** Without settings, where these make no sense, nobody knows its limit. */
export async function checkCache(settings: Settings | undefined): Promise<Finding[]> {
  return await finding('cache', 'mend what it says', async () => {
    const layout = new CacheLayout(cacheDirectory());
    const usage = await usageOf(layout);
    const taken = kinds.reduce((sum, kind) => sum + usage[kind].bytes, 0);
    const limit = settings === undefined ? '' : ` of ${formatBytes(sizeLimit(layout, settings['max-size']))}`;
    const place = nearestDirectory(layout.root);
    const why = whyUnusable(place);
    if (why !== undefined) return bad('cache', `${place}: ${why}`, 'set XDG_CACHE_HOME to a directory of yours');
    const { bytes: free } = freeSpace(place);
    const says = `${formatBytes(taken)}${limit}, with ${formatBytes(free)} free on its disk`;
    if (free >= LITTLE) return ok('cache', says);
    return note('cache', says, 'make room, or set max-size and run crfs cache gc');
  });
}

/** Why nothing can be written there. */
function whyUnusable(directory: string): string | undefined {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

export async function checkDaemon(version: string): Promise<Finding[]> {
  return await finding('daemon', 'crfs stop, or end it by its PID', async () => {
    const answer = await askDaemon('GET', '/status');
    if (answer === undefined) return ok('daemon', 'none runs: a mount starts one');
    const status = JSON.parse(answer) as Status;
    const says = `pid ${status.pid}, version ${status.version}, ${status.mounts.length} mounts`;
    return status.version === version
      ? ok('daemon', says)
      : note('daemon', says, `crfs daemon, for version ${version}`);
  });
}

async function finding(name: string, advice: string, look: () => Promise<Finding>): Promise<Finding[]> {
  try {
    return [await look()];
  } catch (error) {
    const { path, syscall, message } = error as NodeJS.ErrnoException;
    if (!(error instanceof CrfsError) && syscall === undefined) throw error;
    return [bad(name, path === undefined ? message : `${path}: ${reasonOf(error)}`, advice)];
  }
}
