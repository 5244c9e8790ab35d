// SPDX-License-Identifier: GPL-3.0-or-later

import type { ExecutionContext } from 'ava';
import { engineNames } from '../../src/workers/engine-names.js';
import { extractTar } from '../tools/extract.js';
import { debian, makeLayer } from '../tools/layers.js';
import { Machine, mountingTest } from '../tools/machine.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { compareTrees, describeTree } from '../tools/tree.js';

const mounting = mountingTest();

/** What a mount of the layer shows is what GNU tar makes of the tar, to the last byte. */
async function sameAsTar(
  t: ExecutionContext,
  machine: Machine,
  layer: string,
  tar: string,
  { readers = 1, timeless = [] as readonly string[], known = [] as readonly string[] } = {},
): Promise<void> {
  const expected = machine.directory('extracted');
  await extractTar(tar, expected);
  const mount = await machine.mount([layer]);
  const shown = await describeTree(mount.merged, { readers });
  const extracted = await describeTree(expected);
  t.true(shown.size > 10);
  t.deepEqual(compareTrees(shown, extracted, { ignoreMtimeOf: timeless }), known);
  await mount.unmount();
}

/** A directory that is named twice: GNU tar keeps what came first, in a layer the last one wins. */
const namedTwice = [
  '"dot": mode is 700, expected 750',
  '"dot": uid is 3, expected 0',
  '"dot": mtime is 1500000009000000000, expected 1500000000000000000',
];

for (const engine of engineNames) {
  for (const readers of [1, 16]) {
    mounting(`a nasty tar reads as GNU tar extracts it: ${engine}, ${readers} readers`, async (t) => {
      const machine = new Machine({ CRFS_ENGINE: engine });
      t.teardown(() => machine.dispose());
      const { path, impliedDirectories } = writeNastyTar(machine.directory('nasty'));
      const timeless = ['.', ...impliedDirectories];
      await sameAsTar(t, machine, await makeLayer(path), path, { readers, timeless, known: namedTwice });
    });
  }
}

for (const readers of [1, 16]) {
  mounting(`a Debian root file system reads as GNU tar extracts it, by ${readers} readers`, async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const { layer, tar } = await debian();
    await sameAsTar(t, machine, layer, tar, { readers });
  });
}
