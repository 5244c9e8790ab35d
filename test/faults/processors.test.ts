// SPDX-License-Identifier: GPL-3.0-or-later

/** How many workers there are, and what the daemon takes, on a machine of many processors. */

import { readFileSync } from 'node:fs';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { daemonOf, knownLayer, readAll } from './world.js';

const mounting = mountingTest();
/** Bytes: 45 to 60 MB are usual. */
const IDLE_LIMIT = 90e6;

/** Bytes that a process has for itself. Pages of Node's program, 50 to 60 MB, are those of its file, and one for all processes. */
const ownOf = (pid: number): number =>
  Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

mounting(
  'with 64 workers allowed there are as many as have something to do, and an idle daemon is small',
  async (t) => {
    const machine = new Machine({ CRFS_WORKERS: '64' });
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 100, large: 6 });
    const workers = async (): Promise<number> => (await machine.status())?.workers.count ?? 0;
    const mounts = [await machine.mount([known.layer]), await machine.mount([known.layer])];
    t.is(await workers(), 1);
    const daemon = await daemonOf(machine);
    const before = ownOf(daemon);
    t.true(before < IDLE_LIMIT, `${before} bytes`);
    const readings = await Promise.all(mounts.map(({ merged }) => readAll(merged, known)));
    t.deepEqual(readings, [
      { failed: [], wrong: [] },
      { failed: [], wrong: [] },
    ]);
    t.true((await workers()) > 1);
    t.is((await machine.status())?.workers.most, 64);
    await until('those with nothing to do have ended', async () => (await workers()) === 1);
    await until('their memory is given back', () => ownOf(daemon) < IDLE_LIMIT);
    t.deepEqual(await readAll(mounts[0]?.merged ?? '', known, 1), { failed: [], wrong: [] });
    t.is(await daemonOf(machine), daemon);
  },
);
