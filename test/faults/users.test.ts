// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { crfs, Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { daemonOf, knownLayer, readAll } from './world.js';

const mounting = mountingTest();

const asAnother = (machine: Machine, ...command: string[]): Promise<Buffer> =>
  run('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', ...command], { env: machine.env });

mounting('another user can neither reach the daemon nor read its cache', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  chmodSync(machine.root, 0o755);
  const known = await knownLayer(machine, { small: 5, large: 0 });
  const mount = await machine.mount([known.layer]);
  await readAll(mount.merged, known, 1);
  const daemon = await daemonOf(machine);
  for (const path of ['cache/crfs-plugin/control.sock', 'cache/crfs-plugin/api.sock', 'cache/crfs-plugin/v2/objects']) {
    const error = await t.throwsAsync(asAnother(machine, 'stat', join(machine.root, path)));
    t.regex(error?.message ?? '', /Permission denied/, path);
  }
  await t.throwsAsync(asAnother(machine, crfs, 'stop'), { message: /cannot be used|EACCES/ });
  await t.throwsAsync(asAnother(machine, 'ls', `/proc/${daemon}/fd`), { message: /Permission denied/ });
  t.is(await daemonOf(machine), daemon);
});

for (const part of ['state', 'cache'] as const) {
  mounting(`a ${part} directory that another user planted is refused, whatever it is`, async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 5, large: 0 });
    const planted = join(machine.directory(part), 'crfs-plugin');
    const elsewhere = machine.directory('elsewhere');
    await run('chown', ['65534', elsewhere]);
    symlinkSync(elsewhere, planted);
    await t.throwsAsync(machine.mount([known.layer]), { message: /crfs: [^\n]*crfs-plugin/ });
    rmSync(planted);
    mkdirSync(planted, { mode: 0o700 });
    await run('chown', ['65534', planted]);
    await t.throwsAsync(machine.mount([known.layer]), { message: /crfs: [^\n]*crfs-plugin/ });
    t.is(lstatSync(planted).uid, 65534);
    t.false(existsSync(join(planted, 'control.sock')));
    rmSync(planted, { recursive: true });
    const mount = await machine.mount([known.layer]);
    t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  });
}
