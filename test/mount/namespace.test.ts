// SPDX-License-Identifier: GPL-3.0-or-later

/** Which process a mount is, and mounts that are in another mount namespace than whoever asks for them. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { endMount } from '../../src/main/daemon/ask.js';
import type { Status } from '../../src/main/daemon/status.js';
import { gone, knownLayer, readAll } from '../faults/world.js';
import { isAlive } from '../tools/alive.js';
import { byDriver, crfs, eachDriver, LET_GO, lower, Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';

const both = eachDriver();
const mounting = mountingTest();

const commandOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

for (const foreground of [false, true]) {
  const where = foreground ? 'in the foreground' : 'that has forked into the background';
  both(`the status tells the process of a host ${where}`, async (t, driver) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 5, large: 0 });
    const mount = await machine.mount([known.layer], { foreground });
    const told = (await machine.status())?.mounts[0];
    const pid = told?.pid ?? 0;
    t.is(commandOf(pid), driver === 'overlay' ? 'crfs-lower' : driver);
    t.is(told?.mountNamespace, readlinkSync('/proc/self/ns/mnt'));
    if (foreground && driver !== 'overlay') t.is(mount.host?.pid, pid); // crfs-lower has another process serve
    await machine.stop();
    t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
    t.is((await machine.status())?.mounts[0]?.pid, pid, 'the next daemon tells the same');
  });
}

both('a mount in another namespace is told as such, and can be taken away by its process', async (t, driver) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 5, large: 0 });
  const merged = machine.directory('merged');
  const script = `${LET_GO}\n"$@" >&2 && echo mounted && read -r end`;
  const holder = spawn(
    'unshare',
    ['-m', 'sh', '-c', script, 'sh', crfs, 'mount', known.layer, merged, '--driver', driver],
    {
      env: machine.env,
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let said = '';
  holder.stdout.on('data', (bytes) => {
    said += String(bytes);
  });
  await until('it is mounted', () => said.endsWith('mounted\n'));
  const told = (await machine.status())?.mounts[0];
  t.is(told?.mountpoint, merged);
  t.is(told?.mountNamespace, readlinkSync(`/proc/${holder.pid}/ns/mnt`));
  t.not(told?.mountNamespace, readlinkSync('/proc/self/ns/mnt'));
  const inside = join(`/proc/${holder.pid}/root`, merged);
  t.deepEqual(await readAll(inside, known, 1), { failed: [], wrong: [] });

  Object.assign(process.env, machine.env);
  t.false(await endMount(process.pid), 'which is no mount');
  t.true(await endMount(told?.pid ?? 0));
  await gone(told?.pid ?? 0);
  t.deepEqual((await machine.status())?.mounts, []);
  // the kernel's overlay is mounted where only who enters that namespace gets at it: it serves nothing any more
  if (driver === 'overlay') t.throws(() => lstatSync(join(inside, 'never-seen')), { code: 'ENOTCONN' });
  else t.false(readFileSync(`/proc/${holder.pid}/mountinfo`, 'utf8').includes(merged));
  t.true(isAlive(holder.pid ?? 0));
  holder.stdin.end('\n');
  await once(holder, 'exit');
});

mounting(
  'a mount ends with its namespace, also where that passes on what is mounted in it',
  byDriver('overlay', async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const { layer } = await knownLayer(machine, { small: 5, large: 0 });
    const mount = `'${crfs}' mount '${layer}' '${machine.directory('merged')}' >&2`;
    const passOn = 'mount --make-rshared /'; // to itself alone: `unshare --propagation shared` would pass on to others
    const script = [LET_GO, passOn, mount, `'${crfs}' status --json`].join('\n');
    const said = await run('unshare', ['-m', 'sh', '-c', script], { env: machine.env });
    t.is((JSON.parse(String(said)) as Status).mounts.length, 1);
    await until('nothing is mounted', async () => (await machine.status())?.mounts.length === 0);
  }),
);

mounting('a mount that crfs-lower made by itself is told as such', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const { layer } = await knownLayer(machine, { small: 5, large: 0 });
  const merged = machine.directory('merged');
  await run(lower, [layer, merged], { env: machine.env });
  t.teardown(() => run('umount', ['-l', merged]).catch(() => undefined));
  const told = (await machine.status())?.mounts[0];
  t.is(told?.driver, 'overlay');
  t.is(told?.mountNamespace, readlinkSync('/proc/self/ns/mnt'));
  t.is(commandOf(told?.pid ?? 0), 'crfs-lower');
  await machine.stop();
  t.regex(await machine.crfs('status'), /Mounted, and without a daemon/);
  await machine.crfs('umount', merged);
});
