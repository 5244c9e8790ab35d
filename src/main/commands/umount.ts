// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { readReferences } from '../cache/references.js';
import { CacheLayout } from '../disk/cache-layout.js';
import { processEnvironment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { allMounts } from '../mount/hosts.js';
import { mountpointOf } from '../mount/mountpoint.js';
import { type Unmounted, unmountLayers } from '../mount/umount.js';
import { note, tellError, warn } from '../output/tell.js';
import { escapeName, toJson } from '../output/terminal.js';
import { counted } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';
import { forget, persistedAt } from '../setup/persist.js';

const HELP = `
A mount that was made in another mount namespace of yours, by \`podman unshare\`
or \`unshare -m\`, is found there. Of several, one that stays keeps no other.
--all leaves stores, since podman has images there, and tells which.

Examples:
  crfs umount merged
  crfs umount --lazy merged other
  crfs umount --forget /srv/img
  crfs umount --all`;

interface Given {
  all?: boolean;
  lazy?: boolean;
  forget?: boolean;
  json?: boolean;
}

/** `crfs umount` */
export function addUmount(program: Command): void {
  program
    .command('umount')
    .description('take mounts away')
    .argument('[merged...]', 'where they are')
    .option('--all', 'all mounts of yours but stores, in whatever mount namespace, the last one first')
    .option('--lazy', 'have them go from sight at once, and wholly when nobody uses them any more')
    .option('--forget', 'have them not come back at the next start either, as `crfs mount --persist` has it')
    .option('--json', 'print JSON, a list')
    .addHelpText('after', HELP)
    .action(umount);
}

interface Report {
  readonly mountpoint: string;
  /** undefined: nothing was mounted there, and it was forgotten alone. */
  readonly unmounted: Unmounted | undefined;
  /** The unit by which it is mounted at the next start, too. */
  readonly comesBackBy: string | undefined;
  /** The unit by which it would have been. */
  readonly forgotten: string | undefined;
}

async function umount(named: readonly string[], given: Given): Promise<void> {
  const { all = false, lazy = false, forget: forgets = false, json = false } = given;
  if (all === named.length > 0) {
    const what = all ? '--all takes no mountpoint' : 'no mountpoint is named, and --all is not given';
    throw new CrfsError('CRFS_USAGE', `${what}; see \`crfs umount --help\``);
  }
  const done: Report[] = [];
  const failures: CrfsError[] = [];
  const { paths, left } = all ? await allMounts(cacheDirectory()) : { paths: named, left: [] };
  for (const merged of paths) {
    try {
      const one = await tellingIfSlow(`unmounting ${merged}`, takeAway(merged, lazy, forgets));
      done.push(one);
      if (!json) process.stdout.write(`${render(one)}\n`);
      if (one.unmounted?.kind === 'store') warnOfImages(one.mountpoint);
    } catch (error) {
      if (!(error instanceof CrfsError)) throw error;
      if (!all || error.code !== 'CRFS_NOT_FOUND') failures.push(error); // else it has just gone by itself
    }
  }
  if (json) process.stdout.write(`${toJson(done.map(forProgram))}\n`);
  else if (all && done.length + failures.length + left.length === 0) process.stdout.write('Nothing is mounted.\n');
  for (const { mountpoint, why } of left) {
    note(`${mountpoint} ${why}, and stays: \`crfs umount ${mountpoint}\` takes it away`);
  }
  const last = failures.pop();
  for (const { code, message } of failures) tellError(message, code);
  if (last !== undefined) throw last;
}

/** What podman has from a store is not there without it. */
function warnOfImages(directory: string): void {
  const used = new Set(readReferences(new CacheLayout(cacheDirectory())).map(({ identity }) => identity)).size;
  if (used === 0) return;
  const again = `its images start again when \`crfs store ${directory}\` is there`;
  warn(`podman has ${counted(used, 'layer')} from it: ${again}`);
}

/** Also what is mounted no more can be forgotten. Rejects as unmountLayers does, and forgets nothing then. */
async function takeAway(merged: string, lazy: boolean, forgets: boolean): Promise<Report> {
  const mountpoint = mountpointOf(merged);
  const unit = merged === '' ? undefined : persistedAt(mountpoint, processEnvironment);
  const unmounted = await unmountLayers(merged, lazy).catch((error: unknown) => {
    const isGone = error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND';
    if (isGone && forgets && unit !== undefined) return undefined;
    throw error;
  });
  if (!forgets) return { mountpoint, unmounted, comesBackBy: unit, forgotten: undefined };
  return { mountpoint, unmounted, comesBackBy: undefined, forgotten: forget(mountpoint, processEnvironment) };
}

function forProgram({ mountpoint, unmounted, comesBackBy, forgotten }: Report): object {
  return { mountpoint, isLeft: unmounted?.isLeft ?? false, comesBackBy, forgotten };
}

function render({ mountpoint, unmounted, comesBackBy, forgotten }: Report): string {
  const name = escapeName(mountpoint);
  if (unmounted === undefined) return `${name}: comes back no more`;
  const { namespaceOf, isLeft } = unmounted;
  const where = namespaceOf === undefined ? '' : `, in the mount namespace of pid ${namespaceOf}`;
  if (isLeft) return `${name}: ended${where}; the mountpoint is dead there until it is unmounted in it, or it ends`;
  if (comesBackBy !== undefined)
    return `${name}: unmounted${where}; it comes back at the next start, unless \`crfs umount --forget\` is run`;
  return `${name}: unmounted${where}${forgotten === undefined ? '' : ', and comes back no more'}`;
}
