// SPDX-License-Identifier: GPL-3.0-or-later

/** What is learned of how an image starts, in tests. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../../src/main/daemon/status.js';
import type { Profile } from '../../src/main/profile/profile.js';
import { type Machine, until } from './machine.js';
import type { RemoteLayer } from './remote-layer.js';

type Start = NonNullable<Status['mounts'][number]['starts']>[number];

/** Of the mount that was made last. */
export async function startOf(machine: Machine): Promise<Start | undefined> {
  return (await machine.status())?.mounts.at(-1)?.starts?.[0];
}

/** What is kept of an image. Rejects where that is nothing. */
export async function shown(machine: Machine, image: string): Promise<Profile> {
  return JSON.parse(await machine.crfs('profile', 'show', image, '--json')) as Profile;
}

/** The end of what serves the mount is waited for: until then, it may put stubs into the cache. */
export const WATCHED = { foreground: true };

/** Reads files of a mount, and has the cache keep nothing but what was learned of that. */
export async function learn({ machine, mount, image }: RemoteLayer, ...files: readonly string[]): Promise<void> {
  for (const file of files) await readFile(join(mount.merged, file));
  await until('it is noted', async () => (await startOf(machine))?.files === files.length);
  await machine.stop();
  await mount.unmount();
  await machine.crfs('cache', 'clear');
  requireFiles(await shown(machine, image), files);
}

function requireFiles({ order }: Profile, files: readonly string[]): void {
  const read = new Set(order.map(({ path }) => path));
  if (files.some((file) => !read.has(file))) throw new Error(`recorded was ${[...read].join(', ')}`);
}
