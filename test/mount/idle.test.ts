// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DRIVERS } from '../../src/main/mount/driver.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest();

const WORKERS = 2;
const WATCHED_SECONDS = 5;
/** Once a second each the daemon gives its sign of life, and workers look up; the rest is for V8. */
const DAEMON_WAKES_A_SECOND = 10;

mounting('an idle daemon wakes a few times a second, and what serves its mounts not at all', async (t) => {
  const machine = new Machine({ CRFS_WORKERS: String(WORKERS) });
  t.teardown(() => machine.dispose());
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(tar, [{ name: 'file', content: noise(9_000_000) }]);
  const layer = await makeLayer(tar);
  for (const driver of DRIVERS) {
    const merged = machine.directory(driver);
    await machine.crfs('mount', '--driver', driver, layer, merged);
    t.teardown(() => run('umount', [merged]));
    t.is(readFileSync(join(merged, 'file')).length, 9_000_000);
  }
  const { pid = 0, mounts = [] } = (await machine.status()) ?? {};
  t.is(mounts.length, DRIVERS.length);
  const processes = [pid, ...mounts.map((mount) => mount.pid)];
  await until('all have become idle', async () => {
    const before = processes.map(wakes);
    await sleep(WATCHED_SECONDS * 1000);
    const [daemon = 0, ...servers] = processes.map((process, n) => {
      return [...wakes(process)].reduce((sum, [thread, count]) => sum + count - (before[n]?.get(thread) ?? 0), 0);
    });
    return daemon <= WATCHED_SECONDS * DAEMON_WAKES_A_SECOND && servers.every((count) => count === 0);
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
