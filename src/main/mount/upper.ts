// SPDX-License-Identifier: GPL-3.0-or-later

/** The directories that changes are kept in, checked as the kernel checks those of its own overlay: fuse-overlayfs does not. */

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountsOf } from '../daemon/mountinfo.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { isServer } from './driver.js';
import { hasMount } from './entrance.js';
import { LOWER } from './lower.js';
import { argumentsOf, openFilesOf, processes } from './processes.js';

const LOOK_EVERY_MS = 20;
/** For a host whose mount was taken away to write back, and end. */
const ENDS_WITHIN_MS = 60_000;
/** Options of the kernel's overlay. */
const KEPT_IN = ['upperdir', 'workdir'];
/** What an overlay makes in its work directory. */
const MADE_BY_OVERLAYS = ['work', 'index'];
/** In there, what stays of a mount with `-o volatile`. */
const MADE_BY_VOLATILE = 'work/incompat/volatile';
/** In a work directory: fuse-overlayfs has written since the kernel did. csrc/lower/adopt.h */
const WRITTEN_BY_HOST = 'fuse-overlayfs';

/** Checks real paths of directories. Throws CRFS_USAGE, CRFS_BUSY, and CRFS_DENIED where nothing can be written. */
export async function checkUpper(upper: string, work: string): Promise<void> {
  const shown = `--upper ${JSON.stringify(upper)} and --work ${JSON.stringify(work)}`;
  if (upper === work) throw new CrfsError('CRFS_USAGE', `${shown} must be two directories`);
  if (isWithin(upper, work) || isWithin(work, upper)) {
    throw new CrfsError('CRFS_USAGE', `${shown}: neither may be inside the other`);
  }
  if (fileSystemOf(upper) !== fileSystemOf(work)) {
    throw new CrfsError('CRFS_DENIED', `${shown} must be on one file system: files are moved from one to the other`);
  }
  const foreign = readdirSync(work).find((name) => ![...MADE_BY_OVERLAYS, WRITTEN_BY_HOST].includes(name));
  if (foreign !== undefined) {
    const what = `it holds ${JSON.stringify(foreign)}, and must be empty, or the work directory of an earlier mount`;
    throw new CrfsError('CRFS_BUSY', `--work ${JSON.stringify(work)}: ${what}`);
  }
  for (const directory of [upper, work]) await checkUnused(directory);
  checkLasting(work);
  checkWritable(upper, work);
}

/** Notes, for a later mount by the kernel, that fuse-overlayfs is going to write. Throws what the system says. */
export function markForHost(work: string): void {
  writeFileSync(join(work, WRITTEN_BY_HOST), '');
}

/** Whether a path is another one, or below it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

/** The file system, and its mount: files cannot be moved between two mounts of one file system either. */
function fileSystemOf(directory: string): string {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const mount = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return `${statSync(directory).dev} ${mount}`;
  } finally {
    closeSync(fd);
  }
}

/** The kernel's overlay refuses it after a mount that did not see to it that changes reach the disk, and does not say why. */
function checkLasting(work: string): void {
  const mark = join(work, MADE_BY_VOLATILE);
  if (!existsSync(mark)) return;
  const doubt = 'of what --upper has, some may never have reached the disk';
  const hint = `take new directories, or, if the machine has not crashed since, remove ${JSON.stringify(mark)}`;
  throw new CrfsError(
    'CRFS_BUSY',
    `--work ${JSON.stringify(work)} was of a mount with -o volatile, and ${doubt}: ${hint}`,
  );
}

/** Two mounts that write into one directory destroy it for each other. One that was just unmounted is given time to end. */
async function checkUnused(directory: string): Promise<void> {
  for (const end = Date.now() + ENDS_WITHIN_MS; ; await sleep(LOOK_EVERY_MS)) {
    const user = processes().find(({ pid, name }) => isServer(name) && writesTo(pid, name, directory));
    if (user === undefined) break;
    const goesOn = hasMount(user.pid) || Date.now() >= end;
    const mountpoint = argumentsOf(user.pid).at(-1);
    if (!goesOn || mountpoint === undefined) continue; // it is about to end, or has since it was found
    throw inUse(directory, `the mount at ${JSON.stringify(mountpoint)} (pid ${user.pid})`);
  }
  // what served it may have been killed, or it is an overlay of somebody else
  const overlay = mountsOf().find(({ options }) => KEPT_IN.some((name) => options.includes(`${name}=${directory}`)));
  if (overlay !== undefined) throw inUse(directory, `the mount at ${JSON.stringify(overlay.path)}`);
}

/** Whether a process serves a mount that keeps changes in a directory. */
function writesTo(pid: number, name: string, directory: string): boolean {
  if (name === LOWER) return argumentsOf(pid).includes(directory); // it is the kernel that holds it
  const held = [directory, join(directory, 'work')]; // of a work directory, fuse-overlayfs holds what it makes in there
  return openFilesOf(pid).some((path) => held.includes(path));
}

function inUse(directory: string, by: string): CrfsError {
  return new CrfsError('CRFS_BUSY', `${JSON.stringify(directory)} is in use by ${by}`);
}

/** There must be symlinks, as images have them: FAT has none. */
function checkWritable(upper: string, work: string): void {
  try {
    accessSync(upper, constants.W_OK);
    const draft = mkdtempSync(join(work, '.crfs-'));
    try {
      symlinkSync('target', join(draft, 'link'));
    } finally {
      rmSync(draft, { recursive: true });
    }
  } catch (error) {
    const what = `--upper ${JSON.stringify(upper)} and --work ${JSON.stringify(work)} cannot keep changes`;
    throw new CrfsError('CRFS_DENIED', `${what}: ${reasonOf(error)}`, { cause: error });
  }
}
