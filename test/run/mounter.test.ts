// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mounterFor } from '../../src/main/run/mounter.js';
import { mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';

mountingTest()('a cache is removed with what is put into it meanwhile', async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'crfs-test-'));
  const [first, held, later] = ['1', '2', '3'].map((name) => join(base, name)) as [string, string, string];
  writeFileSync(first, '');
  mkdirSync(held);
  await run('mount', ['-t', 'tmpfs', 'none', held]); // a mountpoint cannot be removed; what goes before it by its name, can
  t.teardown(() => run('umount', ['-q', held]).catch(() => undefined));
  const removal = mounterFor(0).removeCache(base);
  await until('the removal has begun', () => !existsSync(first));
  writeFileSync(later, '');
  await run('umount', [held]);
  await t.notThrowsAsync(removal);
  t.false(existsSync(base));
});
