// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers over layers and plain directories: the host shows them as it shows the same stack of extracted directories. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { extractTar } from '../tools/extract.js';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest } from '../tools/machine.js';
import { namedTwice, nastyLayer } from '../tools/nasty-layer.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const mounting = mountingTest();

type Part = 'upper' | 'lower' | 'nasty' | 'plain';

/** The topmost first. */
const stacks: readonly (readonly Part[])[] = [
  ['upper', 'lower'],
  ['lower', 'upper'],
  ['upper', 'plain', 'lower'],
  ['plain', 'upper', 'lower', 'nasty'],
  ['upper', 'lower', 'plain'],
  ['nasty', 'upper', 'lower', 'plain'],
  ['upper', 'lower', 'upper', 'lower'],
];

/** A directory that adds to those of the layers, hides some of their files, and is hidden in part itself. */
function fillPlain(directory: string): string {
  for (const name of ['merged', 'opaque', 'gone-directory', 'sizes']) mkdirSync(join(directory, name));
  for (const name of ['merged/plain', 'opaque/plain', 'gone', 'gone-directory/plain', '.wh.kept', 'sizes/.wh.513']) {
    writeFileSync(join(directory, name), `${name} of the plain directory\n`);
  }
  return directory;
}

/** Where one layer has an entry and a whiteout of the same name, the entry wins; a host that reads a directory loses it. */
const winner = '"both-at-once" should not be there';

for (const fast of [true, false]) {
  const how = fast ? 'with fast_ino' : 'without fast_ino';
  mounting(`whiteouts and opaque directories hide what they hide in plain directories, ${how}`, async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
    const nasty = await nastyLayer();
    const plain = fillPlain(machine.directory('plain'));
    const layers = {
      lower: await makeLayer(lower),
      upper: await makeLayer(upper),
      nasty: nasty.layer,
      plain,
    };
    const extracted = {
      lower: machine.directory('x-lower'),
      upper: machine.directory('x-upper'),
      nasty: nasty.extracted,
      plain,
    };
    await extractTar(lower, extracted.lower);
    await extractTar(upper, extracted.upper);
    const options = fast ? ['fast_ino=1'] : [];
    for (const stack of stacks) {
      const ours = await machine.mount(
        stack.map((part) => layers[part]),
        { options },
      );
      const theirs = await machine.mount(
        stack.map((part) => extracted[part]),
        { options },
      );
      const differences = compareTrees(await describeTree(ours.merged), await describeTree(theirs.merged), {
        ignoreMtimeOf: nasty.timeless,
      });
      const known = stack.includes('nasty') ? [...namedTwice, winner] : [winner];
      t.deepEqual(differences, known, stack.join(' over '));
      await ours.unmount();
      await theirs.unmount();
    }
  });
}
