// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether podman is there, and can take layers from a store. It is asked only where it has run before: it would make its storage, for good. */

import { CrfsError } from '../errors/error.js';
import type { Places } from '../setup/places.js';
import { askPodman, expectPodman } from '../setup/podman.js';
import { hasRun, type Storage } from '../setup/storage.js';
import { bad, type Finding, note, ok } from './check.js';

export const SET_UP = 'crfs setup podman';
const RESET = 'podman system reset, which removes all of its images and containers';

export interface LookedAt {
  readonly finding: Finding;
  /** Whether it can be run and nothing new comes of that. */
  readonly isRunnable: boolean;
  /** Whether `crfs setup podman` would not be refused. */
  readonly canBeSetUp: boolean;
}

export async function checkPodman(places: Places, storage: Storage): Promise<LookedAt> {
  try {
    if (!hasRun(storage.graphRoot)) return unused((await expectPodman(places)).version, storage);
    const { version, driver } = await askPodman();
    const isOverlay = driver === 'overlay';
    const finding = isOverlay ? ok('podman', `${version}, keeps layers by overlay`) : other(version, driver, storage);
    return { finding, isRunnable: true, canBeSetUp: isOverlay };
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    const isMissing = error.code === 'CRFS_NOT_FOUND';
    const finding = isMissing
      ? note('podman', error.message, 'install podman, to run containers')
      : bad('podman', error.message, 'mend what it says; a directory that storage.conf names must be there');
    return { finding, isRunnable: !isMissing, canBeSetUp: false };
  }
}

function other(version: string, driver: string, { conf, driver: told }: Storage): Finding {
  const says = `${version} keeps layers by ${driver}: it can use mounts (\`--rootfs\`), and no store`;
  const change = told === undefined ? '' : `driver = "overlay" in ${conf}, `;
  return note('podman', says, `${RESET}; then ${change}${SET_UP}`);
}

function unused(version: string, { conf, isConfThere, driver }: Storage): LookedAt {
  const says = `${version}, which has not run yet`;
  if (driver === 'overlay')
    return { finding: ok('podman', `${says}: by overlay, as ${conf} says`), isRunnable: false, canBeSetUp: true };
  if (isConfThere) {
    const why = `${says}, and ${conf} does not have it keep layers by overlay`;
    const finding = note('podman', why, `first driver = "overlay" there, below [storage]; then ${SET_UP}`);
    return { finding, isRunnable: false, canBeSetUp: false };
  }
  const why = `${says}: by itself it may choose vfs for good, which asks no store`;
  const finding = note('podman', why, `${SET_UP}, before any other command of podman's`);
  return { finding, isRunnable: false, canBeSetUp: true };
}
