// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isAlive } from '../tools/alive.js';
import { anyDriver, eachDriver, isRemoved, Machine, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { stop } from '../tools/stop.js';
import { coldMount, serverOf } from './mounts.js';
import {
  daemonOf,
  descriptors,
  dropObjects,
  gone,
  killDaemons,
  knownLayer,
  objectsOf,
  READERS,
  readAll,
  temporaries,
  times,
} from './world.js';

const mounting = eachDriver();
const shared = anyDriver();

/** What a server has open, but for content of layers. */
function openBeside(server: number): string[] {
  return descriptors(server)
    .filter((path) => !/\/(objects|drafts)\/../.test(path))
    .map((path) => path.replace(/\d+/g, 'N').replace(' (deleted)', '')) // until it needs the next daemon
    .sort();
}

/** What it has open that it had not before: it may have been about to close something then. */
function openSince(server: number, before: readonly string[]): string[] {
  const rest = [...before];
  return openBeside(server).filter((path) => {
    const at = rest.indexOf(path);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

mounting('a daemon that is killed at random points does no reader any harm', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine);
  const kept = await machine.mount([known.layer]);
  const other = await machine.mount([known.layer]);
  t.deepEqual(await readAll(kept.merged, known), { failed: [], wrong: [] }); // by then it has all that it serves reads with
  dropObjects(machine);
  let server = await serverOf(machine, kept);
  const wanted = times(10, 200);
  const killed = new Set<number>();
  while (killed.size < wanted) {
    const mount = await coldMount(machine, kept, [known.layer]);
    if (mount !== kept) server = await serverOf(machine, mount);
    const before = openBeside(server);
    t.deepEqual(await killDaemons(machine, killed, 30, () => readAll(mount.merged, known)), { failed: [], wrong: [] });
    dropObjects(machine);
    await until('the server has closed what it had open', () => openSince(server, before).length === 0);
    if (mount !== kept) await mount.unmount();
  }
  t.deepEqual(await readAll(other.merged, known), { failed: [], wrong: [] });
  for (const pid of killed) await gone(pid);
  t.true(isAlive(await daemonOf(machine)));
  t.false(killed.has(await daemonOf(machine)));
  const left = readdirSync(dirname(dirname(machine.objects))).sort();
  t.deepEqual(left, ['CACHEDIR.TAG', 'api.sock', 'control.sock', 'daemon.lock', 'v4']);
  await until('no draft is left', () => temporaries(machine).length === 0);
  t.log(`${killed.size} daemons killed`);
});

mounting('what serves a mount harms no other one when it is killed, and leaves nothing', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine);
  const steady = await machine.mount([known.layer]);
  const daemon = await daemonOf(machine);
  const staged = (): string[] =>
    readdirSync(join(machine.objects, '../tmp')).filter((name) => name.startsWith('mount-'));
  t.deepEqual(await readAll(steady.merged, known), { failed: [], wrong: [] });
  const before = descriptors(daemon).length;
  const ofSteady = staged().length;
  for (let round = 0; round < times(5, 100); round++) {
    dropObjects(machine);
    const other = await coldMount(machine, steady, [known.layer]);
    const victim = await machine.mount([known.layer]);
    const server = await serverOf(machine, victim);
    const readers = readAll(other.merged, known);
    const lost = readAll(victim.merged, known, 4).catch(() => 'its readers end, with or without an error');
    const enough = Math.random() * known.digests.size;
    await until('some is read', () => objectsOf(machine).length >= enough);
    process.kill(server, 'SIGKILL');
    t.deepEqual(await readers, { failed: [], wrong: [] });
    await lost;
    await victim.unmount();
    if (other !== steady) await other.unmount();
  }
  await until('the daemon has let go of the mounts', async () => (await machine.status())?.mounts.length === 1);
  t.is(await daemonOf(machine), daemon);
  await until('the daemon has removed their directories', () => staged().length === ofSteady);
  await until('no descriptor is left', () => descriptors(daemon).length <= before);
});

mounting('a daemon that is stopped is given up within the bound by all who wait, and serves again later', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: READERS, large: 0 });
  await machine.mount([known.layer]); // has the daemon started, and the index made, however long that takes
  const bound = 5; // seconds
  machine.env['CRFS_TIMEOUT'] = String(bound);
  const mount = await machine.mount([known.layer]);
  const daemon = await daemonOf(machine);
  await stop(daemon);
  const started = Date.now();
  const files = [...known.digests.keys()];
  const outcomes = await Promise.all(
    files.map((path) =>
      run('cat', [join(mount.merged, path)]).then(
        () => 'read',
        (error: Error) => /: ([^:]*)$/.exec(error.message.trim())?.[1],
      ),
    ),
  );
  const seconds = (Date.now() - started) / 1000;
  process.kill(daemon, 'SIGCONT');
  t.deepEqual(new Set(outcomes), new Set(['Connection timed out']));
  t.true(seconds >= bound, `after ${seconds} s`);
  t.true(seconds < bound * READERS, `after ${seconds} s, as if one had waited after the other`);
  await until('it shows that it lives, and all is read', async () => {
    const { failed, wrong } = await readAll(mount.merged, known);
    t.deepEqual(wrong, []);
    return failed.length === 0;
  });
  t.is(await daemonOf(machine), daemon);
});

shared('a cache that is removed under a mount is made anew, and the mount reads on', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 40, large: 2 });
  const lowers = [known.layer, machine.directory('below')]; // by the kernel's overlay, all names come from crfs-lower then
  const kept = await machine.mount(lowers, { upper: true });
  const cache = dirname(dirname(machine.objects));
  for (const part of ['', 'v4/objects', 'v4/drafts', 'v4/tmp', 'v4']) {
    t.deepEqual(await readAll(kept.merged, known, 2), { failed: [], wrong: [] });
    const mount = await coldMount(machine, kept, lowers);
    await until('it is removed, whatever is put into it meanwhile', () => isRemoved(join(cache, part)));
    t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] }, `after ${part || 'all'} was removed`);
    await until('the cache is there again', () => existsSync(machine.objects));
  }
  await run('chmod', ['600', join(kept.merged, 'large-0')]); // copies it up, with the new directories
  t.pass();
});
