// SPDX-License-Identifier: GPL-3.0-or-later

import type { Machine, Mount } from '../tools/machine.js';

/** The process that serves a mount. */
export async function serverOf(machine: Machine, { merged }: Mount): Promise<number> {
  const mount = (await machine.status())?.mounts.find(({ mountpoint }) => mountpoint === merged);
  if (mount === undefined) throw new Error(`the daemon does not know ${merged}`);
  return mount.pid;
}

/**
 * A mount like another one, of which nothing has been read since the cache was emptied: by fuse-overlayfs the same, by the
 * kernel's overlay a new one, as the kernel keeps what it has read.
 */
export async function coldMount(machine: Machine, like: Mount, lowers: readonly string[]): Promise<Mount> {
  return machine.driver === 'overlay' ? await machine.mount(lowers) : like;
}
