// SPDX-License-Identifier: GPL-3.0-or-later

/** Having mounts come back with the machine, by a unit each; and that they do not any more. */

import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { linkOf, look } from '../daemon/processes.js';
import { makeDirectories } from '../disk/make-directories.js';
import { configHomeOf, type Environment, type Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { fstabLine, type Lasting, mountCommand, mountUnit, unitOf } from './lasting.js';
import { crfsCommand, type Programs, whereIs } from './programs.js';
import { textOf, writeFile } from './steps.js';
import { systemdRuns, targetOf } from './unit.js';

/** What /proc/PID/uid_map has where users are as they are on the machine. */
const ALL_USERS = /^\s*0\s+0\s+4294967295$/m;

/** By what a mount comes back: by a unit; or, without systemd, by what is left to the person. */
export type Persisted = { readonly unit: string } | { readonly fstab: string } | { readonly command: string };

/**
 * Whether what this process mounts is the machine's, and not a user's, in podman's namespace. Throws CRFS_USAGE in any
 * other user namespace: what comes back would not be there.
 */
export function mountsForMachine({ env }: Environment): boolean {
  if (isPodmansUser(env)) return false;
  const isWhole = ALL_USERS.test(readFileSync('/proc/self/uid_map', 'utf8'));
  if (isWhole || linkOf('self', 'ns/user') === linkOf(1, 'ns/user')) return true; // the latter in a system container
  throw new CrfsError(
    'CRFS_USAGE',
    "--persist: this user namespace does not come back, but podman's: `podman unshare`",
  );
}

/** Has systemd mount it at each start; where none runs, says what has to be done instead. Rejects as writeFile does. */
export async function persist(lasting: Lasting, environment: Environment): Promise<Persisted> {
  const { isSystem, mountpoint } = lasting;
  if (!systemdRuns({ isSystem }, environment.env)) {
    if (isSystem) return { fstab: fstabLine(lasting) };
    return { command: mountCommand(lasting, programsFor(isSystem), false).map(forShell).join(' ') };
  }
  const { unit, link } = placesFor(mountpoint, isSystem, environment);
  for (const { act } of writeFile(unit, mountUnit(lasting, programsFor(isSystem)))) await act();
  makeDirectories(dirname(link));
  rmSync(link, { force: true });
  symlinkSync(unit, link); // which `systemctl enable` would do, but cannot from podman's namespace
  return { unit };
}

/** The unit by which what is mounted at a path comes back. */
export function persistedAt(mountpoint: string, environment: Environment): string | undefined {
  const { unit } = placesHere(mountpoint, environment);
  return look(() => textOf(unit)) === undefined ? undefined : unit;
}

/** Has a mount not come back any more. Returns the unit that did it; undefined if there was none. */
export function forget(mountpoint: string, environment: Environment): string | undefined {
  if (persistedAt(mountpoint, environment) === undefined) return undefined;
  const { unit, link } = placesHere(mountpoint, environment);
  rmSync(link, { force: true });
  rmSync(unit);
  return unit;
}

function programsFor(isSystem: boolean): Programs {
  return { crfs: crfsCommand(), podman: isSystem ? 'podman' : whereIs('podman') };
}

interface UnitPlaces {
  readonly unit: string;
  /** By which it is started. */
  readonly link: string;
}

function placesHere(mountpoint: string, environment: Environment): UnitPlaces {
  const isSystem = !isPodmansUser(environment.env) && process.geteuid?.() === 0;
  return placesFor(mountpoint, isSystem, environment);
}

function placesFor(mountpoint: string, isSystem: boolean, environment: Environment): UnitPlaces {
  const own = isSystem ? environment.etc : configHomeOf(environment);
  const directory = join(own, isSystem ? 'systemd/system' : 'systemd/user');
  const name = unitOf(mountpoint);
  return { unit: join(directory, name), link: join(directory, `${targetOf(isSystem)}.wants`, name) };
}

/** Whether this is the namespace that podman makes for an ordinary user. */
function isPodmansUser(env: Variables): boolean {
  return Number(env['_CONTAINERS_ROOTLESS_UID'] ?? 0) !== 0;
}

function forShell(word: string): string {
  return /^[\w%./:@=+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
