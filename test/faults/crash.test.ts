// SPDX-License-Identifier: GPL-3.0-or-later

/** The end of the machine, before all that was filled is on its disk: names and lengths are there, the content is zeros. */

import { existsSync, readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { daemonOf, gone, type Known, knownLayer, objectsOf, readAll } from './world.js';

const mounting = mountingTest();

/** What the end of the machine can leave of a file that was not synced: all of it but its content. */
function lose(path: string): void {
  const { size, atime, mtime } = statSync(path);
  truncateSync(path, 0);
  truncateSync(path, size);
  utimesSync(path, atime, mtime);
}

/** As if the machine had been started anew: the note is of another boot. */
function boot(machine: Machine): void {
  const path = join(machine.objects, '../synced.json');
  const note = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...note, bootId: '00000000-0000-4000-8000-000000000000' }));
}

function part(known: Known, wanted: (path: string) => boolean): Known {
  return { ...known, digests: new Map([...known.digests].filter(([path]) => wanted(path))) };
}

mounting('contents that never reached the disk are filled anew, and those that did are kept', async (t) => {
  const machine = new Machine({ CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 40, large: 4 });
  const early = part(known, (path) => /[02468]$/.test(path));

  const first = await machine.mount([known.layer]);
  t.deepEqual(await readAll(first.merged, early, 4), { failed: [], wrong: [] });
  await first.unmount();
  await machine.crfs('stop');
  const safe = objectsOf(machine);
  const inodes = new Map(safe.map((path) => [path, statSync(path).ino]));
  t.is(safe.length, early.digests.size);

  const second = await machine.mount([known.layer]);
  t.deepEqual(await readAll(second.merged, known, 4), { failed: [], wrong: [] });
  const daemon = await daemonOf(machine);
  await second.unmount();
  process.kill(daemon, 'SIGKILL');
  await gone(daemon);
  const unsafe = objectsOf(machine).filter((path) => !inodes.has(path));
  t.is(unsafe.length, known.digests.size - safe.length);
  for (const path of unsafe) lose(path);
  boot(machine);

  const third = await machine.mount([known.layer]);
  t.deepEqual(unsafe.filter(existsSync), []);
  t.deepEqual(await readAll(third.merged, known, 4), { failed: [], wrong: [] });
  t.deepEqual(new Map(safe.map((path) => [path, statSync(path).ino])), inodes);
});

mounting('an index that never reached the disk is made anew', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 10, large: 0 });
  const mount = await machine.mount([known.layer]);
  const daemon = await daemonOf(machine);
  await mount.unmount();
  process.kill(daemon, 'SIGKILL');
  await gone(daemon);
  const indexes = join(machine.objects, '../index');
  const [index = ''] = readdirSync(indexes);
  lose(join(indexes, index));
  writeFileSync(join(machine.objects, '../synced.json'), JSON.stringify({ bootId: '', generation: 0 }));
  const again = await machine.mount([known.layer]);
  t.deepEqual(await readAll(again.merged, known, 2), { failed: [], wrong: [] });
  t.deepEqual(readdirSync(indexes), [index]);
});

mounting('what is published tells the count of its generation, and no time', async (t) => {
  const machine = new Machine({ CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 10, large: 0 });
  const mount = await machine.mount([known.layer]);
  t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  const objects = objectsOf(machine);
  const generations = objects.map((path) => statSync(path).mtimeMs / 1000);
  t.true(generations.every((generation) => generation === 1));
  await mount.unmount();
  await machine.crfs('stop');
  await until('all is noted', () => existsSync(join(machine.objects, '../synced.json')));
  t.like(JSON.parse(readFileSync(join(machine.objects, '../synced.json'), 'utf8')), { generation: 1 });
});
