// SPDX-License-Identifier: GPL-3.0-or-later

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedAt } from '../daemon/mountinfo.js';
import { CrfsError } from '../errors/error.js';
import { placeOf } from '../sources/place.js';
import { checkHost, findPlugin, HOST } from './host.js';
import { joinOptions, listedDirectory, lowerLayers, realDirectory } from './lowerdir.js';
import { Said } from './said.js';
import { mountpointOf, unmountLayers } from './umount.js';
import { checkUpper, isWithin } from './upper.js';

const LOOK_EVERY_MS = 20;
/** Options of fuse-overlayfs that are made here, and what to write instead. */
const OURS: Readonly<Record<string, string>> = {
  lowerdir: '--lower',
  upperdir: '--upper',
  workdir: '--work',
  plugins: 'the plugin that comes with crfs',
};

export interface MountRequest {
  /** As canonicalConfiguration makes it. */
  readonly configuration: string;
  readonly merged: string;
  /** Both or none; with none, the mount is read-only. */
  readonly upper?: string | undefined;
  readonly work?: string | undefined;
  /** Directories below the layers, the topmost first. */
  readonly lower: readonly string[];
  /** Further `-o` options, as fuse-overlayfs takes them. */
  readonly options: readonly string[];
  /** Of fuse-overlayfs, for as long as it runs: the daemon goes by it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly foreground: boolean;
  /** Ends fuse-overlayfs, while it mounts or in the foreground. */
  readonly signal: AbortSignal;
}

export interface Mounted {
  /** The absolute path of `merged`. */
  readonly mountpoint: string;
  /** In the foreground: resolves to whether fuse-overlayfs has ended well. */
  readonly ended: Promise<boolean> | undefined;
}

/**
 * Mounts layers, and waits until they are there. Otherwise nothing stays mounted. What fuse-overlayfs says goes to stderr.
 * Throws CRFS_USAGE, CRFS_NOT_FOUND, CRFS_DENIED where it can be known beforehand, CRFS_INTERNAL if fuse-overlayfs fails, with
 * what the plugin says of it, and the signal's reason.
 */
export async function mountLayers(request: MountRequest): Promise<Mounted> {
  const { environment, foreground, signal } = request;
  const mountpoint = freeMountpoint(request.merged);
  const options = await mountOptions(request, mountpoint);
  await checkHost();
  signal.throwIfAborted();
  const args = [...(foreground ? ['-f'] : []), '-o', options, mountpoint];
  const host = spawn(HOST, args, { env: environment, stdio: ['ignore', 'inherit', 'pipe'] });
  const said = new Said(host);
  const ended = endOf(host, signal);
  signal.addEventListener('abort', () => host.kill());
  try {
    await (foreground ? isMounted(mountpoint, ended) : ended);
    signal.throwIfAborted();
    if (said.unknown !== undefined) {
      throw new CrfsError('CRFS_USAGE', `-o ${said.unknown}: this ${HOST} has no such option`);
    }
    const well = host.exitCode === 0 || (foreground && host.exitCode === null && host.signalCode === null);
    if (!well || mountedAt(mountpoint) === undefined) throw said.failure(mountpoint);
  } catch (error) {
    host.kill();
    await ended;
    if (mountedAt(mountpoint) === `fuse.${HOST}`) await unmountLayers(mountpoint, true);
    throw error;
  }
  said.passOn();
  return { mountpoint, ended: foreground ? ended : undefined };
}

/** The real path of a directory at which layers can be mounted, by us. Throws CRFS_DENIED, CRFS_USAGE, CRFS_NOT_FOUND. */
export function freeMountpoint(merged: string): string {
  if (process.geteuid?.() !== 0) {
    const hint = 'put `podman unshare` in front of the command';
    throw new CrfsError('CRFS_DENIED', `mounting takes root, or a user namespace in which you are root: ${hint}`);
  }
  const place = mountpointOf(merged);
  if (mountedAt(place) === `fuse.${HOST}`) {
    throw new CrfsError('CRFS_USAGE', `${JSON.stringify(place)} is mounted already: run \`crfs umount\` first`);
  }
  return realDirectory(merged, 'the mountpoint');
}

/** Waits until fuse-overlayfs, in the foreground, has mounted, or has ended. */
async function isMounted(mountpoint: string, ended: Promise<unknown>): Promise<void> {
  const end = ended.then(() => true);
  while (mountedAt(mountpoint) !== `fuse.${HOST}`) {
    if (await Promise.race([end, sleep(LOOK_EVERY_MS)])) return;
  }
}

/** Resolves to whether it has ended well, or as it was told to: ^C goes to all that a terminal runs, and to it, too. */
async function endOf(host: ChildProcess, signal: AbortSignal): Promise<boolean> {
  await once(host, 'close');
  return host.exitCode === 0 || signal.aborted;
}

async function mountOptions(request: MountRequest, mountpoint: string): Promise<string> {
  const { configuration, options } = request;
  const given = options.flatMap((option) => option.split(','));
  const names = given.map((option) => option.replace(/=.*/s, ''));
  const ours = names.find((name) => Object.hasOwn(OURS, name));
  if (ours !== undefined) throw new CrfsError('CRFS_USAGE', `-o ${ours}: crfs sets it by itself: ${OURS[ours]}`);
  const lower = request.lower.map((path) => listedDirectory(path, 'the lower directory'));
  const changes = await changesOf(request);
  for (const directory of [...lower, ...changes]) {
    if (mountpoint === directory || !isWithin(mountpoint, directory)) continue;
    const why = `the mount would be inside of itself: it shows what is in ${JSON.stringify(directory)}`;
    throw new CrfsError('CRFS_USAGE', `the mountpoint ${JSON.stringify(mountpoint)}: ${why}`);
  }
  const [upper, work] = changes;
  const isLocal = placeOf(configuration).kind === 'file'; // nobody waits for a network while another one reads
  const made = [
    `plugins=${listedPlugin()}`,
    `lowerdir=${[lowerLayers(configuration, '/'), ...lower].join(':')}`,
    ...(upper === undefined ? [] : [`upperdir=${upper}`]),
    ...(work === undefined ? [] : [`workdir=${work}`]),
    ...(names.includes('fast_ino') ? [] : ['fast_ino=1']),
    ...(names.includes('threaded') || isLocal ? [] : ['threaded=1']),
  ];
  return [joinOptions(made), ...options].join(',');
}

/** The upper and the work directory, by their real paths; none, if changes are not kept. */
async function changesOf({ upper, work }: MountRequest): Promise<string[]> {
  if ((upper === undefined) !== (work === undefined)) {
    throw new CrfsError('CRFS_USAGE', '--upper and --work go together: changes are kept in one, prepared in the other');
  }
  if (upper === undefined || work === undefined) return [];
  const changes = [listedDirectory(upper, 'the upper directory'), realDirectory(work, 'the work directory')] as const;
  await checkUpper(...changes);
  return [...changes];
}

function listedPlugin(): string {
  const plugin = findPlugin();
  if (!plugin.includes(':')) return plugin;
  throw new CrfsError('CRFS_USAGE', `${plugin} has a colon in its path: fuse-overlayfs cannot take that`);
}
