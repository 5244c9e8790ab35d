// SPDX-License-Identifier: GPL-3.0-or-later

/** What becomes of a mount whose index is cut short in the cache, which nothing of ours does. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { driverAt } from '../../src/main/mount/driver.js';
import { crfs, Machine, mountingTest, until } from '../tools/machine.js';
import { nastyLayer } from '../tools/nasty-layer.js';
import { run } from '../tools/run.js';

const mounting = mountingTest();

mounting("a server of the kernel's overlay whose index is cut short says so, and ends", async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const merged = machine.directory('merged');
  const { layer } = await nastyLayer();
  const child = spawn(crfs, ['mount', '--foreground', '--driver', 'overlay', layer, merged], {
    env: machine.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => run('umount', ['-l', merged]));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('it is mounted', () => driverAt(merged) !== undefined);
  const indexes = join(machine.objects, '../index');
  const [name = ''] = readdirSync(indexes);
  await machine.stop();
  truncateSync(join(indexes, name));
  t.throws(() => lstatSync(join(merged, 'sizes/512')), { code: 'ECONNABORTED' });
  t.throws(() => lstatSync(join(merged, 'sizes/513')), { code: 'ENOTCONN' });
  const [code] = await once(child, 'close');
  t.is(code, 1);
  t.is(said, `crfs: ${layer}: its index was cut short in the cache: unmount it, and mount it again\n`);
  await run('umount', [merged]);
  await machine.crfs('cache', 'clear');
  await machine.crfs('mount', '--driver', 'overlay', layer, merged);
  t.is(lstatSync(join(merged, 'sizes/512')).size, 512);
});
