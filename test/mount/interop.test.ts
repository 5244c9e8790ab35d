// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import { extractTar } from '../tools/extract.js';
import { anyDriver, Machine, top } from '../tools/machine.js';
import { compareTrees, describeTree } from '../tools/tree.js';

const test = anyDriver();
const samples = join(top, 'test/fixtures/interop');

// layers that other converters made of basic.tar.gz
for (const name of ['basic.stargz', 'basic.estargz', 'basic.prioritized.estargz']) {
  test(`${name}, written by another tool, reads as GNU tar extracts its tar`, async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const expected = machine.directory('expected');
    await extractTar(join(samples, 'basic.tar.gz'), expected);
    const mount = await machine.mount([join(samples, name)]);
    const shown = await describeTree(mount.merged, { readers: 16 });
    const timeless = ['.', 'run', 'usr', 'usr/bin']; // no entry names them
    t.true(shown.size > 10);
    t.deepEqual(compareTrees(shown, await describeTree(expected), { ignoreMtimeOf: timeless }), []);
  });
}
