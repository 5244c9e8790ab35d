// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { until } from './machine.js';

/** Stops a process; resolves when none of its threads does anything any more. */
export async function stop(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const threads = `/proc/${pid}/task`;
  await until(`all threads of ${pid} are stopped`, () =>
    readdirSync(threads).every((thread) => /^State:\s+T/m.test(readFileSync(`${threads}/${thread}/status`, 'utf8'))),
  );
}
