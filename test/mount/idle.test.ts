// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest } from '../tools/machine.js';
import { noise, writeTar } from '../tools/nasty-tar.js';

const mounting = mountingTest();

/** V8 tidies its heaps up once, some 8 s after the last work. */
const SETTLED_MS = 12_000;
const WATCHED_MS = 60_000;

mounting('an idle daemon with a mount uses less than 0.2 % of a processor', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(tar, [{ name: 'file', content: noise(9_000_000) }]);
  const { merged } = await machine.mount([await makeLayer(tar)]);
  t.is(readFileSync(join(merged, 'file')).length, 9_000_000);
  const pid = (await machine.status())?.pid ?? 0;
  await sleep(SETTLED_MS);
  const before = processorMs(pid);
  await sleep(WATCHED_MS);
  const used = processorMs(pid) - before;
  t.true(used < WATCHED_MS * 0.002, `${used} ms`);
});

/** Milliseconds that all threads of a process have run. */
function processorMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return times.reduce((total, time) => total + Number(time), 0) / 1e6;
}
