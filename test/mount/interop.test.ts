// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import { extractTar } from '../tools/extract.js';
import { Machine, mountingTest, top } from '../tools/machine.js';
import { compareTrees, describeTree } from '../tools/tree.js';

const test = mountingTest();
const samples = join(top, 'test/fixtures/interop');

// layers that other converters made of basic.tar.gz
for (const name of ['basic.stargz', 'basic.estargz', 'basic.prioritized.estargz']) {
  for (const readers of [1, 16]) {
    test(`${name}, written by another tool, reads as GNU tar extracts its tar, by ${readers} readers`, async (t) => {
      const machine = new Machine();
      t.teardown(() => machine.dispose());
      const expected = machine.directory('expected');
      await extractTar(join(samples, 'basic.tar.gz'), expected);
      const mount = await machine.mount([join(samples, name)]);
      const shown = await describeTree(mount.merged, { readers });
      const timeless = ['.', 'run', 'usr', 'usr/bin']; // no entry names them
      t.true(shown.size > 10);
      t.deepEqual(compareTrees(shown, await describeTree(expected), { ignoreMtimeOf: timeless }), []);
    });
  }
}
