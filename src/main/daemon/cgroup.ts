// SPDX-License-Identifier: GPL-3.0-or-later

/** The cgroup that this process is in, and how it gets into another one (cgroups(7), the kernel's cgroup-v2 text). */

import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mountsOf } from './mountinfo.js';

const NAME = 'crfs-plugin';

/** As the kernel names it: `/user.slice/…`, from the top of its cgroup namespace. null: there is no cgroup2. */
export function ownCgroup(): string | null {
  return /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? null;
}

/**
 * Moves this process, with all of its threads, into a cgroup `crfs-plugin`: as far up as it may make one, and so outside of
 * the unit that it was started in. Daemons share it. Returns what moves it back, and removes the cgroup after the last one.
 * Throws what the system says, where it stays.
 */
export function moveUp(): () => void {
  const from = directoryOf(ownCgroup());
  if (from === undefined) throw new Error('no cgroup2 hierarchy is mounted');
  let failed: unknown = new Error('it is at the top of its hierarchy');
  for (const above of ancestors(from)) {
    const to = join(above, NAME);
    if (to === from) throw new Error('it is there already');
    try {
      accessSync(join(above, 'cgroup.procs'), constants.W_OK); // whoever may not write that may not move below it
      mkdirSync(to, { recursive: true });
      enter(to);
      return () => goBack(to, from);
    } catch (error) {
      failed = error;
      remove(to);
    }
  }
  throw failed;
}

/** The cgroups above one, from the top: that of its hierarchy, or of its cgroup namespace. */
function ancestors(from: string): string[] {
  const above: string[] = [];
  for (let at = from; isCgroup(dirname(at)); at = dirname(at)) above.unshift(dirname(at));
  return above;
}

/** Where a cgroup is to be seen; undefined: nowhere. */
function directoryOf(cgroup: string | null): string | undefined {
  const tops = cgroup === null ? [] : mountsOf().filter(({ type }) => type === 'cgroup2');
  return tops.map(({ path }) => join(path, cgroup ?? '')).findLast((path) => isCgroup(path) && holdsUs(path));
}

function isCgroup(directory: string): boolean {
  try {
    accessSync(join(directory, 'cgroup.procs'));
    return true;
  } catch {
    return false;
  }
}

/** A path that is mounted over, or from another place of the hierarchy, is another cgroup. */
function holdsUs(directory: string): boolean {
  return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').includes(String(process.pid));
}

function enter(cgroup: string): void {
  writeFileSync(join(cgroup, 'cgroup.procs'), String(process.pid));
}

function goBack(cgroup: string, to: string): void {
  try {
    enter(to);
  } catch {
    return; // it has gone: the next daemon finds an empty cgroup, and uses that
  }
  remove(cgroup);
}

/** Removes a cgroup that nobody is in. */
function remove(cgroup: string): void {
  try {
    rmdirSync(cgroup);
  } catch {
    // Another daemon is in it, or there is none.
  }
}
