// SPDX-License-Identifier: GPL-3.0-or-later

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CrfsError } from '../errors/error.js';
import { checkHost, findPlugin, HOST } from './host.js';
import { joinOptions, listedDirectory, lowerLayers, realDirectory } from './lowerdir.js';
import { mountedAt } from './mountinfo.js';

const LOOK_EVERY_MS = 20;
/** fuse-overlayfs complains, as root, of an option that it gives itself. */
const ITS_OWN = 'unknown argument ignored: lazytime\n';
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
 * Mounts layers, and waits until they are there. What fuse-overlayfs says goes to stderr.
 * Throws CRFS_USAGE, CRFS_NOT_FOUND, CRFS_DENIED where it can be known beforehand, CRFS_INTERNAL if fuse-overlayfs fails, with
 * what the plugin says of it, and the signal's reason.
 */
export async function mountLayers(request: MountRequest): Promise<Mounted> {
  const { merged, foreground, signal } = request;
  if (process.geteuid?.() !== 0) {
    const hint = 'put `podman unshare` or `unshare -Urm` in front of the command';
    throw new CrfsError('CRFS_DENIED', `mounting takes root, or a user namespace in which you are root: ${hint}`);
  }
  const mountpoint = realDirectory(merged, 'the mountpoint');
  if (mountedAt(mountpoint) === `fuse.${HOST}`) {
    throw new CrfsError('CRFS_USAGE', `${JSON.stringify(mountpoint)} is mounted already: run \`crfs umount\` first`);
  }
  const options = mountOptions(request);
  await checkHost();
  const args = [...(foreground ? ['-f'] : []), '-o', options, mountpoint];
  const host = spawn(HOST, args, { stdio: ['ignore', 'inherit', foreground ? 'inherit' : 'pipe'] });
  signal.addEventListener('abort', () => host.kill());
  if (host.stderr !== null) {
    const [said] = await Promise.all([text(host.stderr), once(host, 'exit')]);
    if (host.exitCode === 0 && mountedAt(mountpoint) !== undefined) {
      process.stderr.write(said.replace(ITS_OWN, ''));
      return { mountpoint, ended: undefined };
    }
    signal.throwIfAborted();
    throw notMounted(mountpoint, said);
  }
  const ended = endOf(host);
  while (mountedAt(mountpoint) !== `fuse.${HOST}`) {
    await Promise.race([ended, sleep(LOOK_EVERY_MS)]);
    if (host.exitCode !== null || host.signalCode !== null) {
      signal.throwIfAborted();
      throw notMounted(mountpoint, '');
    }
  }
  return { mountpoint, ended };
}

/** The plugin tells why in one line, and what the host says about that adds nothing; without one, all counts. */
function notMounted(mountpoint: string, said: string): CrfsError {
  const why = /^crfs: (.+)$/m.exec(said)?.[1];
  if (why === undefined) process.stderr.write(said);
  return new CrfsError('CRFS_INTERNAL', why ?? `${HOST} has not mounted ${JSON.stringify(mountpoint)}`);
}

async function endOf(host: ChildProcess): Promise<boolean> {
  const [code] = (await once(host, 'exit')) as [number | null];
  return code === 0;
}

function mountOptions(request: MountRequest): string {
  const { configuration, upper, work, lower, options } = request;
  if ((upper === undefined) !== (work === undefined)) {
    throw new CrfsError('CRFS_USAGE', '--upper and --work go together: changes are kept in one, prepared in the other');
  }
  const given = options.flatMap((option) => option.split(','));
  const names = given.map((option) => option.replace(/=.*/s, ''));
  const ours = names.find((name) => Object.hasOwn(OURS, name));
  if (ours !== undefined) throw new CrfsError('CRFS_USAGE', `-o ${ours}: crfs sets it by itself: ${OURS[ours]}`);
  const lowers = [
    lowerLayers(configuration, '/'),
    ...lower.map((path) => listedDirectory(path, 'the lower directory')),
  ];
  const made = [
    `plugins=${listedPlugin()}`,
    `lowerdir=${lowers.join(':')}`,
    ...(upper === undefined ? [] : [`upperdir=${listedDirectory(upper, 'the upper directory')}`]),
    ...(work === undefined ? [] : [`workdir=${realDirectory(work, 'the work directory')}`]),
    ...(names.includes('fast_ino') ? [] : ['fast_ino=1']),
  ];
  return [joinOptions(made), ...options].join(',');
}

function listedPlugin(): string {
  const plugin = findPlugin();
  if (!plugin.includes(':')) return plugin;
  throw new CrfsError('CRFS_USAGE', `${plugin} has a colon in its path: fuse-overlayfs cannot take that`);
}
