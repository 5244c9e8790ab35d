// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compile, outcomeOf } from '../native/compile.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { daemonOf, descriptors, dropObjects, knownLayer, readAll, temporaries, times } from './world.js';

const mounting = mountingTest();
const MIB = 2 ** 20;

mounting('mounts that lie to the daemon harm neither it nor other mounts, and leave nothing behind', async (t) => {
  const machine = new Machine({ CRFS_LOG_LEVEL: 'error' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 60, large: 2 });
  const mount = await machine.mount([known.layer]);
  const daemon = await daemonOf(machine);
  const program = await compile({ name: 'hostile', sources: [], watch: 'address' });
  const socket = join(machine.root, 'cache/crfs-plugin/control.sock');
  const lie = async (seconds: number, seed: number): Promise<string> => {
    const { code, stdout, stderr } = await outcomeOf(program, [socket, known.layer, String(seed), String(seconds)]);
    t.is(stderr, '');
    t.is(code, 0);
    return stdout.trim();
  };
  const settled = async (): Promise<{ fds: string[]; rss: number }> => {
    await until('all are let go', async () => (await machine.status())?.mounts.length === 1);
    const rss = (await machine.status())?.memory.rss ?? 0;
    return { fds: descriptors(daemon).filter((path) => !/^(anon_inode|pipe|socket):/.test(path)), rss };
  };
  const staged = (): string[] =>
    readdirSync(join(machine.objects, '../tmp')).filter((name) => name.startsWith('mount-'));
  t.deepEqual(await readAll(mount.merged, known, 2), { failed: [], wrong: [] });
  const stagedByMount = staged().length;
  dropObjects(machine);
  await lie(1, 1);
  const before = await settled();
  const reading = { ended: false };
  const seed = Date.now() % 1e6;
  const lies = lie(times(4, 300), seed).finally(() => {
    reading.ended = true;
  });
  while (!reading.ended) {
    t.deepEqual(await readAll(mount.merged, known, 2), { failed: [], wrong: [] });
    dropObjects(machine);
  }
  t.log(`seed ${seed}: ${await lies}`);
  const after = await settled();
  t.is(await daemonOf(machine), daemon);
  t.deepEqual(
    after.fds.filter((path) => !before.fds.includes(path)),
    [],
  );
  t.true(after.fds.length <= before.fds.length + 2, `${before.fds.length} descriptors, then ${after.fds.length}`);
  await until('it has no more memory than before, but for 60 MiB', async () => {
    return ((await machine.status())?.memory.rss ?? 0) < before.rss + 60 * MIB;
  });
  await until('no draft is left', () => temporaries(machine).length === 0);
  await until('nor a directory of a mount that has gone', () => staged().length === stagedByMount);
  t.deepEqual(await readAll(mount.merged, known), { failed: [], wrong: [] });
});
