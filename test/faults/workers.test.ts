// SPDX-License-Identifier: GPL-3.0-or-later

import { fileURLToPath } from 'node:url';
import { isAlive } from '../tools/alive.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { daemonOf, descriptors, dropObjects, knownLayer, newestDaemon, readAll, temporaries, times } from './world.js';

const mounting = mountingTest();
const saboteur = fileURLToPath(new URL('./saboteur.js', import.meta.url));

/** How workers die, and how many of a million calls kill them. */
const deaths = { exit: 400, error: 2000, memory: 400 } as const;

for (const [how, rate] of Object.entries(deaths)) {
  mounting(`workers that die (${how}) at random points do no reader any harm`, async (t) => {
    const machine = new Machine({ NODE_OPTIONS: `--import=${saboteur}`, SABOTAGE: how, RATE: String(rate) });
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine);
    const mount = await machine.mount([known.layer]);
    const died = (): number => machine.log.match(/a worker died/g)?.length ?? 0;
    while (died() < times(5, 200)) {
      t.deepEqual(await readAll(mount.merged, known), { failed: [], wrong: [] });
      dropObjects(machine);
    }
    t.log(`${died()} workers died, ${machine.log.match(/the daemon fails/g)?.length ?? 0} daemons with them`);
  });
}

mounting('workers that are held up at random points keep no reader waiting for good', async (t) => {
  const machine = new Machine({ NODE_OPTIONS: `--import=${saboteur}`, SABOTAGE: 'delay', RATE: '3000' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 100, large: 4 });
  const mount = await machine.mount([known.layer], { options: ['fast_ino=1', 'threaded=1'] });
  const daemon = await daemonOf(machine);
  for (let round = 0; round < times(3, 100); round++) {
    t.deepEqual(await readAll(mount.merged, known), { failed: [], wrong: [] });
    dropObjects(machine);
  }
  t.is(await daemonOf(machine), daemon);
});

mounting('what dead workers had open is closed, and nothing else', async (t) => {
  const machine = new Machine({ NODE_OPTIONS: `--import=${saboteur}`, SABOTAGE: 'exit', RATE: '400' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine);
  const mount = await machine.mount([known.layer]);
  await readAll(mount.merged, known);
  const before = newestDaemon(machine);
  const open = (): number => descriptors(before).filter((path) => /v\d+\/(objects|tmp)\/./.test(path)).length;
  dropObjects(machine);
  t.deepEqual(await readAll(mount.merged, known), { failed: [], wrong: [] });
  await until('no draft is open any more', () => !isAlive(before) || open() === 0);
  if (!isAlive(before)) {
    t.pass('a worker died over the board, and took the daemon with it');
    return;
  }
  const drafts = temporaries(machine).filter((name) => !name.startsWith('job-'));
  t.deepEqual(drafts, []);
});
