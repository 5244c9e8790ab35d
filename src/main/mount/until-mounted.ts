// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
import { driverAt, type Kind } from './driver.js';

const LOOK_EVERY_MS = 20;

/** Waits until what serves a mount, in the foreground, has mounted, or has ended. */
export async function untilMounted(mountpoint: string, kind: Kind, ended: Promise<unknown>): Promise<void> {
  const end = ended.then(() => true);
  while (driverAt(mountpoint) !== kind) {
    if (await Promise.race([end, sleep(LOOK_EVERY_MS)])) return;
  }
}
