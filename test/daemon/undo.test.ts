// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { Undo } from '../../src/main/daemon/undo.js';

test('what was begun last is ended first, each once, whatever fails over it', async (t) => {
  const undo = new Undo();
  const ended: number[] = [];
  const fault = new Error('it does not end');
  for (const n of [1, 2, 3]) {
    undo.add(async () => {
      await Promise.resolve();
      ended.push(n);
      if (n > 1) throw fault;
    });
  }
  const failures: unknown[] = [];
  await undo.all((error) => failures.push(error));
  t.deepEqual(ended, [3, 2, 1]);
  t.deepEqual(failures, [fault, fault]);
  await undo.all(() => t.fail());
  t.is(ended.length, 3);
});
