// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { startOf } from '../../src/main/daemon/processes.js';

/** The kernel tells to the second when it began itself, and clocks are set. */
const INEXACT_MS = 2000;

test('when a process began is told as long as it is there', async (t) => {
  const before = Date.now();
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const start = startOf(child.pid ?? 0)?.getTime() ?? 0;
  t.true(start >= before - INEXACT_MS && start <= Date.now() + INEXACT_MS, `${start} ${before}`);
  child.kill();
  await once(child, 'exit');
  t.is(startOf(child.pid ?? 0), undefined);
});
