// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import {
  daemonOf,
  descriptors,
  dropObjects,
  gone,
  isAlive,
  knownLayer,
  newestDaemon,
  READERS,
  readAll,
  temporaries,
  times,
} from './world.js';

const mounting = mountingTest();

mounting('a daemon that is killed at random points does no reader any harm', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine);
  const mount = await machine.mount([known.layer], { foreground: true });
  const other = await machine.mount([known.layer]);
  const hostDescriptors = (): string[] =>
    descriptors(mount.host?.pid ?? 0)
      .map((path) => path.replace(/\d+/g, 'N').replace(' (deleted)', '')) // until it needs the next daemon
      .sort();
  const before = hostDescriptors();
  const wanted = times(10, 200);
  const killed = new Set<number>();
  while (killed.size < wanted) {
    const reading = readAll(mount.merged, known);
    for (let kills = 0; kills < 3; kills++) {
      await sleep(Math.random() * 400);
      const daemon = newestDaemon(machine);
      if (killed.has(daemon)) continue; // nobody has needed another one yet
      process.kill(daemon, 'SIGKILL');
      killed.add(daemon);
    }
    t.deepEqual(await reading, { failed: [], wrong: [] });
    dropObjects(machine);
  }
  t.deepEqual(await readAll(other.merged, known), { failed: [], wrong: [] });
  for (const pid of killed) await gone(pid);
  t.true(isAlive(await daemonOf(machine)));
  t.false(killed.has(await daemonOf(machine)));
  t.deepEqual(readdirSync(join(machine.root, 'run/crfs-plugin')).sort(), ['api.sock', 'control.sock', 'daemon.lock']);
  t.deepEqual(temporaries(machine), []);
  t.deepEqual(hostDescriptors(), before);
  t.log(`${killed.size} daemons killed`);
});

mounting('a host that is killed harms no other mount, and leaves nothing', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine);
  const steady = await machine.mount([known.layer], { foreground: true });
  const daemon = await daemonOf(machine);
  const staged = (): string[] =>
    readdirSync(join(machine.objects, '../tmp')).filter((name) => name.startsWith('mount-'));
  const before = descriptors(daemon).length;
  for (let round = 0; round < times(5, 100); round++) {
    const victim = await machine.mount([known.layer], { foreground: true });
    const readers = readAll(steady.merged, known);
    const lost = readAll(victim.merged, known, 4).catch(() => 'its readers end, with or without an error');
    await sleep(Math.random() * 300);
    victim.host?.kill('SIGKILL');
    t.deepEqual(await readers, { failed: [], wrong: [] });
    await lost;
    await victim.unmount();
    dropObjects(machine);
  }
  await until('the daemon has let go of the mounts', async () => (await machine.status())?.mounts.length === 1);
  t.is(await daemonOf(machine), daemon);
  t.is(staged().length, 1);
  await until('no descriptor is left', () => descriptors(daemon).length <= before);
  t.pass();
});

mounting('a daemon that is stopped is given up within the bound by all who wait, and serves again later', async (t) => {
  const machine = new Machine({ CRFS_TIMEOUT: '3' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: READERS, large: 0 });
  const mount = await machine.mount([known.layer]);
  const daemon = await daemonOf(machine);
  process.kill(daemon, 'SIGSTOP');
  const started = Date.now();
  const files = [...known.digests.keys()];
  const outcomes = await Promise.all(
    files.map((path) =>
      readFile(join(mount.merged, path)).then(
        () => 'read',
        (error: NodeJS.ErrnoException) => error.code,
      ),
    ),
  );
  const seconds = (Date.now() - started) / 1000;
  process.kill(daemon, 'SIGCONT');
  t.deepEqual(new Set(outcomes), new Set(['ETIMEDOUT']));
  t.true(seconds >= 3, `after ${seconds} s`);
  t.true(seconds < 3 * 3, `after ${seconds} s: one after the other would have taken ${3 * READERS} s`);
  await until('it shows that it lives', async () => (await machine.status()) !== null);
  await sleep(1500);
  t.deepEqual(await readAll(mount.merged, known), { failed: [], wrong: [] });
  t.is(await daemonOf(machine), daemon);
});

mounting('a cache that is removed under a mount is made anew, and the mount reads on', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 40, large: 2 });
  const mount = await machine.mount([known.layer], { upper: true });
  const cache = dirname(dirname(machine.objects));
  for (const part of ['', 'v2/objects', 'v2/tmp', 'v2']) {
    t.deepEqual(await readAll(mount.merged, known, 2), { failed: [], wrong: [] });
    rmSync(join(cache, part), { recursive: true });
    t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] }, `after ${part || 'all'} was removed`);
    await until('the cache is there again', () => existsSync(machine.objects));
  }
  await run('chmod', ['600', join(mount.merged, 'large-0')]); // copies it up, with the new directories
  t.pass();
});
