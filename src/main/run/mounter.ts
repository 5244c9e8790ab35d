// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts the image of a container: by ourselves as root, else in podman's namespace, where `podman run` sees it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CrfsError } from '../errors/error.js';
import { mountLayers } from '../mount/mount.js';
import { unmountLayers } from '../mount/umount.js';
import { passOn } from '../output/tell.js';

/** What one container has for itself: where its image is mounted, and what it changes. */
export interface RunDirectory {
  readonly path: string;
  readonly merged: string;
  readonly upper: string;
  readonly work: string;
  /** Where whoever runs the container notes its ID. */
  readonly idFile: string;
  /** A descriptor that holds the directory's lock: as long as one is open, it is in use. */
  readonly lock: number;
}

export interface ToMount {
  /** As canonicalConfiguration makes it. */
  readonly configuration: string;
  /** Of what serves the mount. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export interface Mounter {
  /** Resolves when the image is at `merged`. Throws as mounting does. */
  mount(directory: RunDirectory, what: ToMount): Promise<void>;
  /** Takes away what is mounted there, if anything is, and then the directory. */
  remove(directory: RunDirectory): Promise<void>;
  /** Takes a cache away that nothing is mounted from any more, whoever owns what is in it. */
  removeCache(path: string): Promise<void>;
}

/** Who served a mount may still be putting stubs into its cache: then it is removed once more, so often and so soon. */
const REMOVED_AFTER = 300;
const AGAIN_MS = 100;
/** The exit code of `crfs` where what was asked for makes no sense. */
const USAGE = 2;

/** For root, also of a user namespace. */
const ownMounter: Mounter = {
  async mount({ merged, upper, work }, { configuration, environment, signal }) {
    const request = { configuration, environment, signal, merged, upper, work, lower: [], options: [] };
    await mountLayers({ ...request, driver: 'auto', foreground: false, tell: () => undefined, passOn });
  },
  async remove({ path, merged }) {
    await unmountLayers(merged, true).catch(unlessNone);
    rmSync(path, { recursive: true, force: true });
  },
  async removeCache(path) {
    for (let left = REMOVED_AFTER; !isRemoved(path, left === 0); left--) await sleep(AGAIN_MS);
  },
};

/** Returns whether a directory has gone; false, unless it `must`: something was put into it meanwhile. `rmSync` tries again itself, but what has come then stays. */
function isRemoved(path: string, must: boolean): boolean {
  try {
    rmSync(path, { recursive: true, force: true });
    return true;
  } catch (error) {
    if (must || !['ENOTEMPTY', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return false;
  }
}

const SELF = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];

/** For an ordinary user. Signals of a terminal reach all that runs there; what is half done then goes with `remove`. */
const podmansMounter: Mounter = {
  async mount({ merged, upper, work }, { configuration, environment, signal }) {
    const args = ['mount', '--upper', upper, '--work', work, '--', configuration, merged];
    await unshared([...SELF, ...args], environment);
    signal.throwIfAborted();
  },
  async remove({ path, merged }) {
    await unshared([...SELF, 'umount', '--lazy', merged]).catch(() => undefined);
    await unshared(['rm', '-rf', '--one-file-system', path]);
  },
  async removeCache(path) {
    const again = `for n in $(seq ${REMOVED_AFTER}); do rm -rf "$1" 2>/dev/null && exit; sleep 0.1; done; exec rm -rf "$1"`;
    await unshared(['sh', '-c', again, 'sh', path]);
  },
};

export function mounterFor(uid = process.geteuid?.()): Mounter {
  return uid === 0 ? ownMounter : podmansMounter;
}

function unlessNone(error: unknown): void {
  if (!(error instanceof CrfsError) || error.code !== 'CRFS_NOT_FOUND') throw error;
}

/**
 * Runs a command in podman's namespace to its end. Throws CRFS_INTERNAL with what it says last, CRFS_USAGE if it ends as `crfs` does then,
 * CRFS_NOT_FOUND without podman.
 */
async function unshared(command: readonly string[], env: ToMount['environment'] = process.env): Promise<void> {
  const child: ChildProcess = spawn('podman', ['unshare', ...command], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = child.stderr === null ? Promise.resolve('') : text(child.stderr);
  const [code] = (await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'podman is not installed: install it, or be root' : error.message;
    throw new CrfsError('CRFS_NOT_FOUND', why, { cause: error });
  })) as [number | null];
  const last = (await said).trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new CrfsError(code === USAGE ? 'CRFS_USAGE' : 'CRFS_INTERNAL', last.replace(/^crfs: /, ''));
}
