// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { engineNames } from '../../src/workers/engine-names.js';
import { extractTar } from '../tools/extract.js';
import { debian } from '../tools/layers.js';
import { byDriver, Machine, mountingTest } from '../tools/machine.js';
import { namedTwice, nastyLayer } from '../tools/nasty-layer.js';
import { once } from '../tools/once.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';

const mounting = mountingTest();

/** Tells how what a mount of the layer shows differs from what GNU tar makes of its tar, to the last byte. */
async function differences(
  t: ExecutionContext,
  {
    layer,
    tree,
    timeless = [],
  }: { readonly layer: string; readonly tree: Tree; readonly timeless?: readonly string[] },
  { readers, settings = {} }: { readonly readers: number; readonly settings?: Record<string, string> },
): Promise<string[]> {
  const machine = new Machine(settings);
  t.teardown(() => machine.dispose());
  const mount = await machine.mount([layer]);
  const shown = await describeTree(mount.merged, { readers });
  t.true(shown.size > 10);
  await mount.unmount();
  return compareTrees(shown, tree, { ignoreMtimeOf: timeless });
}

const debianLayer = once(async () => {
  const { layer, tar } = await debian();
  const directory = mkdtempSync(join(tmpdir(), 'crfs-debian-'));
  await extractTar(tar, directory);
  const tree = await describeTree(directory);
  rmSync(directory, { recursive: true });
  return { layer, tree };
});

for (const engine of engineNames) {
  for (const readers of [1, 16]) {
    mounting(`a nasty tar reads as GNU tar extracts it: ${engine}, ${readers} readers`, async (t) => {
      const how = { readers, settings: { CRFS_ENGINE: engine } };
      t.deepEqual(await differences(t, await nastyLayer(), how), namedTwice);
    });
  }
}

mounting(
  'a nasty tar reads as GNU tar extracts it, by overlay',
  byDriver('overlay', async (t) => {
    t.deepEqual(await differences(t, await nastyLayer(), { readers: 16 }), namedTwice);
  }),
);

mounting(
  'a Debian root file system reads as GNU tar extracts it, by overlay',
  byDriver('overlay', async (t) => {
    t.deepEqual(await differences(t, await debianLayer(), { readers: 16 }), []);
  }),
);

for (const readers of [1, 16]) {
  mounting(`a Debian root file system reads as GNU tar extracts it, by ${readers} readers`, async (t) => {
    t.deepEqual(await differences(t, await debianLayer(), { readers }), []);
  });
}
