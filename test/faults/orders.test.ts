// SPDX-License-Identifier: GPL-3.0-or-later

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Machine, mountingTest } from '../tools/machine.js';
import { dropObjects, knownLayer, readAll } from './world.js';

const mounting = mountingTest();
const hesitant = fileURLToPath(new URL('./hesitant.js', import.meta.url));

mounting('a request for a layer that a worker has not heard of yet is served', async (t) => {
  const machine = new Machine({ NODE_OPTIONS: `--import=${hesitant}`, CRFS_WORKERS: '1', CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const steady = await knownLayer(machine, { small: 20, large: 0 });
  const mount = await machine.mount([steady.layer]);
  const reading = { ended: false };
  const reader = (async () => {
    for (; !reading.ended; dropObjects(machine)) {
      t.deepEqual(await readAll(mount.merged, steady, 2), { failed: [], wrong: [] });
    }
  })();
  try {
    for (let n = 0; n < 10; n++) {
      const { layer } = await knownLayer(machine, { small: 1, large: 0, name: `layer-${n}` });
      const { merged } = await machine.mount([layer]);
      await t.notThrowsAsync(readFile(join(merged, 'd0/small-0')), `layer ${n}`);
    }
  } finally {
    reading.ended = true;
    await reader;
  }
});
