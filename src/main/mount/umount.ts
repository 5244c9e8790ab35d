// SPDX-License-Identifier: GPL-3.0-or-later

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { endMount } from '../daemon/ask.js';
import { mountedAt, mountsOf } from '../daemon/mountinfo.js';
import { linkOf, look } from '../daemon/processes.js';
import { CrfsError } from '../errors/error.js';
import { driverOf, type Kind } from './driver.js';
import { HOST } from './host.js';
import { mountpointOf } from './mountpoint.js';
import { type Elsewhere, enter, serverElsewhere } from './namespaces.js';
import { type Process, usersOf } from './processes.js';

const MOST_NAMED = 5;

export interface Unmounted {
  /** Its absolute path. */
  readonly mountpoint: string;
  /** What it was. */
  readonly kind: Kind;
  /** The process that served it, if it was in another mount namespace than ours. */
  readonly namespaceOf: number | undefined;
  /** Nobody serves it any more, but it could not be taken out of that namespace: whoever reads in it there gets ENOTCONN. */
  readonly isLeft: boolean;
}

/**
 * Takes a mount away, also out of another mount namespace of this user. With `lazy`, it goes from sight at once, and wholly
 * when nobody uses it any more. Throws CRFS_USAGE if none is named,
 * CRFS_NOT_FOUND if none is there, CRFS_INTERNAL if it stays, with who uses it.
 */
export async function unmountLayers(merged: string, lazy: boolean): Promise<Unmounted> {
  if (merged === '') throw new CrfsError('CRFS_USAGE', 'no mountpoint is named');
  const mountpoint = mountpointOf(merged);
  const mount = mountedAt(mountpoint);
  const kind = mount && driverOf(mount);
  if (kind !== undefined) {
    await umount(mountpoint, kind, lazy);
    return { mountpoint, kind, namespaceOf: undefined, isLeft: false };
  }
  const elsewhere = await serverElsewhere(mountpoint);
  if (elsewhere === undefined) {
    const what = mount === undefined ? 'nothing is mounted there' : `what is mounted there is ${mount.type}`;
    throw new CrfsError('CRFS_NOT_FOUND', `${JSON.stringify(mountpoint)} is no mount of layers: ${what}`);
  }
  const { pid } = elsewhere;
  if (!elsewhere.isThere) {
    const why = `it was taken away from the namespace of pid ${pid}, which goes on until nobody uses it any more`;
    throw new CrfsError('CRFS_NOT_FOUND', `${JSON.stringify(mountpoint)} is no mount of layers: ${why}`);
  }
  const gone = { mountpoint, kind: elsewhere.kind, namespaceOf: pid };
  try {
    await run([...enter(elsewhere.entrance), ...umountCommand(mountpoint, elsewhere.kind, lazy)]);
    return { ...gone, isLeft: false };
  } catch (error) {
    // a namespace that cannot be entered from here
    if (!lazy || !(await endMount(pid))) throw staysElsewhere(mountpoint, elsewhere, error as Error);
    return { ...gone, isLeft: elsewhere.kind !== HOST }; // fuse-overlayfs takes its own mount away
  }
}

function staysElsewhere(mountpoint: string, { pid, entrance }: Elsewhere, error: Error): CrfsError {
  const where = `${JSON.stringify(mountpoint)} is mounted in another namespace, that of pid ${pid}, and stays`;
  const why = inTheWay(mountpoint, entrance) ?? `${error.message}; \`crfs umount --lazy\` ends it`;
  return new CrfsError('CRFS_INTERNAL', `${where}: ${why}`, { cause: error });
}

async function umount(mountpoint: string, kind: Kind, lazy: boolean): Promise<void> {
  try {
    await run(umountCommand(mountpoint, kind, lazy));
  } catch (error) {
    const why = inTheWay(mountpoint, process.pid) ?? (error as Error).message;
    throw new CrfsError('CRFS_INTERNAL', `${JSON.stringify(mountpoint)} stays mounted: ${why}`, { cause: error });
  }
}

/** It does not look at what it takes away, which would wait for a server that is held up. */
function umountCommand(mountpoint: string, kind: Kind, lazy: boolean): string[] {
  if (kind === HOST) return ['fusermount3', lazy ? '-uz' : '-u', mountpoint];
  return ['umount', '--internal-only', '--no-canonicalize', ...(lazy ? ['--lazy'] : []), mountpoint];
}

/** Who and what keeps a mount from going, in the mount namespace of the process `entrance`. */
function inTheWay(mountpoint: string, entrance: number): string | undefined {
  const below = (look(() => mountsOf(entrance)) ?? []).find(({ path }) => path.startsWith(`${mountpoint}/`));
  if (below !== undefined) return `${JSON.stringify(below.path)} is mounted in it: unmount that first`;
  const namespace = linkOf(entrance, 'ns/mnt');
  const all = usersOf(mountpoint);
  const near = all.filter(({ pid }) => linkOf(pid, 'ns/mnt') === namespace); // in others the path may be of something else
  const users = near.length > 0 ? near : all;
  if (users.length === 0) return undefined;
  const more = users.length > MOST_NAMED ? ` and ${users.length - MOST_NAMED} more` : '';
  const named = users.slice(0, MOST_NAMED).map(({ name, pid }: Process) => `${name} (pid ${pid})`);
  return `it is in use by ${named.join(', ')}${more}: end that, or run \`crfs umount --lazy\``;
}

async function run([program = '', ...args]: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args).catch((error: NodeJS.ErrnoException & { stderr?: string }) => {
    const missing = error.code === 'ENOENT' ? `${program} is not installed` : undefined;
    throw new Error(missing ?? (error.stderr?.trim().replace(/\.$/, '') || error.message), { cause: error });
  });
}
