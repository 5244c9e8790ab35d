// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { readReferences } from '../cache/references.js';
import { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { allMounts } from '../mount/hosts.js';
import { type Unmounted, unmountLayers } from '../mount/umount.js';
import { note, tellError, warn } from '../output/tell.js';
import { escapeName, toJson } from '../output/terminal.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';

const HELP = `
A mount that was made in another mount namespace of yours, by \`podman unshare\`
or \`unshare -m\`, is found there. Of several, one that stays keeps no other.
--all leaves stores, since podman has images there, and tells which.

Examples:
  crfs umount merged
  crfs umount --lazy merged other
  crfs umount --all`;

interface Given {
  all?: boolean;
  lazy?: boolean;
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
    .option('--json', 'print JSON, a list')
    .addHelpText('after', HELP)
    .action(umount);
}

async function umount(named: readonly string[], { all = false, lazy = false, json = false }: Given): Promise<void> {
  if (all === named.length > 0) {
    const what = all ? '--all takes no mountpoint' : 'no mountpoint is named, and --all is not given';
    throw new CrfsError('CRFS_USAGE', `${what}; see \`crfs umount --help\``);
  }
  const unmounted: Unmounted[] = [];
  const failures: CrfsError[] = [];
  const { paths, left } = all ? await allMounts(cacheDirectory()) : { paths: named, left: [] };
  for (const merged of paths) {
    try {
      const one = await tellingIfSlow(`unmounting ${merged}`, unmountLayers(merged, lazy));
      unmounted.push(one);
      if (!json) process.stdout.write(`${render(one)}\n`);
      if (one.kind === 'store') warnOfImages(one.mountpoint);
    } catch (error) {
      if (!(error instanceof CrfsError)) throw error;
      if (!all || error.code !== 'CRFS_NOT_FOUND') failures.push(error); // else it has just gone by itself
    }
  }
  if (json) process.stdout.write(`${toJson(unmounted.map(({ mountpoint, isLeft }) => ({ mountpoint, isLeft })))}\n`);
  else if (all && unmounted.length + failures.length + left.length === 0) process.stdout.write('Nothing is mounted.\n');
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
  warn(`podman has ${used === 1 ? '1 layer' : `${used} layers`} from it: ${again}`);
}

function render({ mountpoint, namespaceOf, isLeft }: Unmounted): string {
  const where = namespaceOf === undefined ? '' : `, in the mount namespace of pid ${namespaceOf}`;
  if (!isLeft) return `${escapeName(mountpoint)}: unmounted${where}`;
  return `${escapeName(mountpoint)}: ended${where}; the mountpoint is dead there until it is unmounted in it, or it ends`;
}
