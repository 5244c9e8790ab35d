// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { writeTar } from '../tools/tar-writer.js';

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
    const since = [...wakes(pid)].reduce((total, [thread, count]) => total + count - (before.get(thread) ?? 0), 0);
    return since <= WATCHED_SECONDS * WAKES_A_SECOND;
  });
});

/** How often each thread of a process has gone to sleep: numbers that do not depend on how fast the machine is. */
function wakes(pid: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
      counts.set(thread, Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]));
    } catch {
      // it has ended since
    }
  }
  return counts;
}
