// SPDX-License-Identifier: GPL-3.0-or-later

import { linkOf } from '../daemon/processes.js';
import { CrfsError } from '../errors/error.js';
import { type Driver, driverAt } from './driver.js';
import { mountWithHost } from './fuse-overlayfs.js';
import { HOST } from './host.js';
import { realDirectory } from './lowerdir.js';
import { mountpointOf } from './mountpoint.js';
import { optionsOf } from './options.js';
import { mountWithOverlay, NoOverlay } from './overlay.js';
import type { CheckedRequest, Mounted, MountRequest } from './request.js';
import { checkUpper, isWithin } from './upper.js';
import { settingsBlamed } from './wrong-setting.js';

const FIRST = "auto takes the kernel's overlay, where that can be had";

/**
 * Mounts layers, and waits until they are there. Otherwise nothing stays mounted. Throws CRFS_USAGE, CRFS_NOT_FOUND,
 * CRFS_BUSY, CRFS_DENIED where it can be known beforehand, CRFS_INTERNAL where it fails, with the reason, and the signal's reason.
 */
export async function mountLayers(request: MountRequest): Promise<Mounted> {
  const checked = await checkRequest(request);
  try {
    return await mountByEither(checked);
  } catch (error) {
    throw await settingsBlamed(error);
  }
}

/** By the driver that is asked for, or by the first one that can be had. */
async function mountByEither(checked: CheckedRequest): Promise<Mounted> {
  const { driver, mountpoint, signal, tell } = checked;
  const asked = `--driver ${driver} asks for it`;
  if (driver === HOST) return await mountBy(HOST, checked, asked);
  try {
    return await mountBy('overlay', checked, driver === 'auto' ? FIRST : asked);
  } catch (error) {
    if (!(error instanceof NoOverlay)) throw error;
    const why = `the kernel's overlay cannot be had: ${error.message}`;
    if (driver === 'overlay')
      throw new CrfsError(error.code, `${JSON.stringify(mountpoint)}: ${why}`, { cause: error });
    signal.throwIfAborted();
    tell(why);
    return await mountOtherwise(checked, why);
  }
}

/** `why`: it is by this driver. */
async function mountBy(driver: Driver, request: CheckedRequest, why: string): Promise<Mounted> {
  const mounting = driver === HOST ? mountWithHost : mountWithOverlay;
  const served = await mounting(withNotes(request, `${driver}: ${why}`));
  request.tell(`mounted by ${driver}: ${why}`);
  return { ...served, mountpoint: request.mountpoint, driver, why, isInstead: false };
}

/** With fuse-overlayfs instead of the kernel's overlay. */
async function mountOtherwise(request: CheckedRequest, why: string): Promise<Mounted> {
  try {
    return { ...(await mountBy(HOST, request, why)), isInstead: true };
  } catch (error) {
    if (!(error instanceof CrfsError) || !['CRFS_NOT_FOUND', 'CRFS_USAGE'].includes(error.code)) throw error;
    throw new CrfsError(error.code, `${why}; and ${error.message}`, { cause: error });
  }
}

/** Tells what serves the mount what it is to tell the daemon: csrc/shared/environment.h. */
function withNotes(request: CheckedRequest, driver: string): CheckedRequest {
  const environment = {
    ...request.environment,
    CRFS_MOUNT_DRIVER: driver,
    CRFS_MOUNT_NAMESPACE: linkOf('self', 'ns/mnt'),
    CRFS_MOUNT_CONFIGURATION: request.configuration,
  };
  return { ...request, environment };
}

/** The real path of a directory at which layers can be mounted, by us. Throws CRFS_DENIED, CRFS_USAGE, CRFS_BUSY, CRFS_NOT_FOUND. */
export function freeMountpoint(merged: string): string {
  if (process.geteuid?.() !== 0) {
    const hint = 'put `podman unshare` in front of the command';
    throw new CrfsError('CRFS_DENIED', `mounting takes root, or a user namespace in which you are root: ${hint}`);
  }
  const place = mountpointOf(merged);
  if (place === '/') {
    throw new CrfsError('CRFS_USAGE', 'the mountpoint "/": nobody would see a mount over the root of all paths');
  }
  if (driverAt(place) !== undefined) {
    throw new CrfsError('CRFS_BUSY', `${JSON.stringify(place)} is mounted already: run \`crfs umount\` first`);
  }
  return realDirectory(merged, 'the mountpoint');
}

async function checkRequest(request: MountRequest): Promise<CheckedRequest> {
  const mountpoint = freeMountpoint(request.merged);
  const given = optionsOf(request.options);
  const lower = request.lower.map((path) => realDirectory(path, 'the lower directory'));
  const [upper, work] = await changesOf(request);
  for (const directory of [...lower, upper, work]) {
    if (directory === undefined || mountpoint === directory || !isWithin(mountpoint, directory)) continue;
    const why = `the mount would be inside of itself: it shows what is in ${JSON.stringify(directory)}`;
    throw new CrfsError('CRFS_USAGE', `the mountpoint ${JSON.stringify(mountpoint)}: ${why}`);
  }
  return { ...request, mountpoint, given, lower, upper, work };
}

/** The upper and the work directory, by their real paths; none, if changes are not kept. */
async function changesOf({ upper, work }: MountRequest): Promise<[] | readonly [string, string]> {
  if ((upper === undefined) !== (work === undefined)) {
    throw new CrfsError('CRFS_USAGE', '--upper and --work go together: changes are kept in one, prepared in the other');
  }
  if (upper === undefined || work === undefined) return [];
  const changes = [realDirectory(upper, 'the upper directory'), realDirectory(work, 'the work directory')] as const;
  await checkUpper(...changes);
  return changes;
}
