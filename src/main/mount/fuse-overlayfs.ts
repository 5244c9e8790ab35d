// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounting with fuse-overlayfs, which the plugin gives the layers. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { CrfsError } from '../errors/error.js';
import { placeOf } from '../sources/place.js';
import { driverAt } from './driver.js';
import { checkHost, findPlugin, HOST } from './host.js';
import { joinOptions, lowerLayers, refuseColon } from './lowerdir.js';
import { nameOf } from './options.js';
import type { CheckedRequest, Served } from './request.js';
import { Said } from './said.js';
import { unmountLayers } from './umount.js';
import { untilMounted } from './until-mounted.js';
import { markForHost } from './upper.js';

/**
 * Mounts layers, and waits until they are there. What fuse-overlayfs says goes to
 * stderr. Throws CRFS_USAGE, CRFS_NOT_FOUND where it can be known beforehand, CRFS_INTERNAL if fuse-overlayfs fails,
 * with what the plugin says of it, and the signal's reason.
 */
export async function mountWithHost(request: CheckedRequest): Promise<Served> {
  const { environment, foreground, mountpoint, passOn, signal, tell } = request;
  const layers = layerOptions(request);
  const options = [...tuningOptions(request), ...givenOptions(request)];
  const version = await checkHost();
  signal.throwIfAborted();
  tell(`trying ${HOST} ${version}, with -o ${options.join(',')}`);
  if (request.work !== undefined) markForHost(request.work);
  const args = [...(foreground ? ['-f'] : []), '-o', joinOptions([...layers, ...options]), mountpoint];
  const host = spawn(HOST, args, { env: environment, stdio: ['ignore', 'inherit', 'pipe'] });
  const said = new Said(host, passOn);
  const ended = endOf(host, signal);
  signal.addEventListener('abort', () => host.kill());
  try {
    await (foreground ? untilMounted(mountpoint, HOST, ended) : ended);
    await said.heard();
    signal.throwIfAborted();
    if (said.unknown !== undefined) {
      throw new CrfsError('CRFS_USAGE', `-o ${said.unknown}: this ${HOST} has no such option`);
    }
    const well = host.exitCode === 0 || (foreground && host.exitCode === null && host.signalCode === null);
    if (!well || driverAt(mountpoint) === undefined) throw said.failure(mountpoint);
  } catch (error) {
    host.kill();
    await ended;
    if (driverAt(mountpoint) === HOST) await unmountLayers(mountpoint, true);
    throw error;
  }
  said.passOn();
  return { ended: foreground ? ended : undefined };
}

/** Resolves to whether it has ended well, or as it was told to: ^C goes to all that a terminal runs, and to it, too. */
async function endOf(host: ChildProcess, signal: AbortSignal): Promise<boolean> {
  await once(host, 'close');
  return host.exitCode === 0 || signal.aborted;
}

/** What to mount. */
function layerOptions({ configuration, lower, upper, work }: CheckedRequest): string[] {
  for (const directory of lower) refuseColon(directory, 'the lower directory');
  if (upper !== undefined) refuseColon(upper, 'the upper directory');
  const plugin = findPlugin();
  refuseColon(plugin, 'the plugin');
  return [
    `plugins=${plugin}`,
    `lowerdir=${[lowerLayers(configuration, '/'), ...lower].join(':')}`,
    ...(upper === undefined ? [] : [`upperdir=${upper}`]),
    ...(work === undefined ? [] : [`workdir=${work}`]),
  ];
}

/** What was asked for, and `ro` where nothing can be written: it knows no `rw`. */
function givenOptions({ given, upper }: CheckedRequest): string[] {
  const access = given.findLast((option) => ['ro', 'rw'].includes(option));
  const others = given.filter((option) => !['ro', 'rw'].includes(option));
  return [...others, ...(upper === undefined || access === 'ro' ? ['ro'] : [])];
}

/** What makes it faster, unless it was told how to do that. */
function tuningOptions({ configuration, given }: CheckedRequest): string[] {
  const names = given.map(nameOf);
  const isLocal = ['file', 'directory'].includes(placeOf(configuration).kind); // nobody waits for a network while another one reads
  return [
    ...(names.includes('fast_ino') ? [] : ['fast_ino=1']),
    ...(names.includes('threaded') || isLocal ? [] : ['threaded=1']),
  ];
}
