// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { daemonOf, descriptors, knownLayer, times } from './world.js';

const mounting = mountingTest();
const MIB = 2 ** 20;

mounting('mounts that come and go leave no descriptor, thread or memory behind', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 10, large: 1 });
  const cycle = async (): Promise<void> => {
    const mount = await machine.mount([known.layer]);
    for (const path of known.digests.keys()) await readFile(join(mount.merged, path));
    await mount.unmount();
  };
  const look = async (): Promise<{ fds: number; threads: number; rss: number }> => {
    await until('all mounts are let go', async () => (await machine.status())?.mounts.length === 0);
    const pid = await daemonOf(machine);
    const rss = (await machine.status())?.memory.rss ?? 0;
    return { fds: descriptors(pid).length, threads: readdirSync(`/proc/${pid}/task`).length, rss };
  };
  for (let n = 0; n < 10; n++) await cycle();
  const before = await look();
  for (let n = 0; n < times(40, 2000); n++) await cycle();
  const after = await look();
  t.log(`${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
  t.true(after.fds <= before.fds + 2);
  t.true(after.threads <= before.threads + 2, 'threads that index end a second after they were used last');
  t.true(after.rss < before.rss + 30 * MIB);
});
