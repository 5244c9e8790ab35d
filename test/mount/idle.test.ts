// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { noise, writeTar } from '../tools/nasty-tar.js';

const mounting = mountingTest();

const WORKERS = 2;
const WATCHED_SECONDS = 5;
/** Once a second each the daemon gives its sign of life, and workers look up; the rest is for V8. */
const WAKES_A_SECOND = 10;

mounting('an idle daemon with a mount sleeps: it wakes a few times a second', async (t) => {
  const machine = new Machine({ CRFS_WORKERS: String(WORKERS) });
  t.teardown(() => machine.dispose());
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(tar, [{ name: 'file', content: noise(9_000_000) }]);
  const { merged } = await machine.mount([await makeLayer(tar)]);
  t.is(readFileSync(join(merged, 'file')).length, 9_000_000);
  const pid = (await machine.status())?.pid ?? 0;
  await until('it has become idle', async () => {
    const before = wakes(pid);
    await sleep(WATCHED_SECONDS * 1000);
    return wakes(pid) - before <= WATCHED_SECONDS * WAKES_A_SECOND;
  });
});

/** How often all threads of a process have gone to sleep: a number that does not depend on how fast the machine is. */
function wakes(pid: number): number {
  const count = (thread: string): number => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
  };
  return readdirSync(`/proc/${pid}/task`).reduce((total, thread) => total + count(thread), 0);
}
