// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers over layers and plain directories: shown as fuse-overlayfs shows the same stack of extracted directories. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { extractTar } from '../tools/extract.js';
import { imageOf } from '../tools/image.js';
import { makeLayer } from '../tools/layers.js';
import { byDriver, Machine, mountingTest, whyNoMounts } from '../tools/machine.js';
import { namedTwice, nastyLayer } from '../tools/nasty-layer.js';
import { missing, startRegistry } from '../tools/registry.js';
import { type Blob, pushImage } from '../tools/registry-image.js';
import { writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const mounting = mountingTest();
const withRegistry = mountingTest(whyNoMounts() ?? missing[0]);

type Part = 'upper' | 'lower' | 'nasty' | 'opaque' | 'plain';

/** The topmost first. */
const stacks: readonly (readonly Part[])[] = [
  ['upper', 'lower'],
  ['lower', 'upper'],
  ['upper', 'plain', 'lower'],
  ['plain', 'upper', 'lower', 'nasty'],
  ['upper', 'lower', 'plain'],
  ['nasty', 'upper', 'lower', 'plain'],
  ['upper', 'lower', 'upper', 'lower'],
  ['upper', 'opaque', 'lower', 'plain'],
];

/** A directory that adds to those of the layers, hides some of their files, and is hidden in part itself. */
function fillPlain(directory: string): string {
  for (const name of ['merged', 'opaque', 'gone-directory']) mkdirSync(join(directory, name));
  for (const name of ['merged/plain', 'opaque/plain', 'gone', 'gone-directory/plain']) {
    writeFileSync(join(directory, name), `${name} of the plain directory\n`);
  }
  for (const name of ['kept', 'merged/lower']) execFileSync('mknod', [join(directory, name), 'c', '0', '0']);
  return directory;
}

interface Parts {
  readonly machine: Machine;
  readonly tars: Readonly<Record<Exclude<Part, 'plain'>, string>>;
  readonly extracted: Readonly<Record<Part, string>>;
  readonly timeless: readonly string[];
}

async function prepare(t: ExecutionContext): Promise<Parts> {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const nasty = await nastyLayer();
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  const opaque = join(machine.root, 'tars/opaque.tar');
  const mtime = 1_500_000_000;
  writeTar(opaque, [
    { name: '.wh..wh..opq', mtime },
    { name: 'merged/', type: '5', mode: 0o755, mtime },
  ]);
  const extract = async (name: string, tar: string): Promise<string> => {
    const directory = machine.directory(name);
    await extractTar(tar, directory);
    return directory;
  };
  const extracted = {
    lower: await extract('lower', lower),
    upper: await extract('upper', upper),
    opaque: await extract('opaque', opaque),
    nasty: nasty.extracted,
    plain: fillPlain(machine.directory('plain')),
  };
  return { machine, tars: { lower, upper, opaque, nasty: nasty.tar }, extracted, timeless: nasty.timeless };
}

/** Where one layer has an entry and a whiteout of the same name, the entry wins; a host that reads a directory loses it. */
const winner = '"both-at-once" should not be there';

async function showsAs(
  t: ExecutionContext,
  { machine, extracted, timeless }: Parts,
  stack: readonly Part[],
  lowers: readonly string[],
  options: readonly string[],
): Promise<void> {
  const ours = await machine.mount(lowers, { options });
  const theirs = await machine.mount(
    stack.map((part) => extracted[part]),
    { options },
  );
  const [shown, expected] = [await describeTree(ours.merged), await describeTree(theirs.merged)];
  const known = stack.includes('nasty') ? [...namedTwice, winner] : [winner];
  t.deepEqual(compareTrees(shown, expected, { ignoreMtimeOf: timeless }), known, stack.join(' over '));
  await ours.unmount();
  await theirs.unmount();
}

for (const fast of [true, false]) {
  const how = fast ? 'with fast_ino' : 'without fast_ino';
  mounting(`whiteouts and opaque directories hide what they hide in plain directories, ${how}`, async (t) => {
    const parts = await prepare(t);
    const layers = {
      lower: await makeLayer(parts.tars.lower),
      upper: await makeLayer(parts.tars.upper),
      opaque: await makeLayer(parts.tars.opaque),
      nasty: await makeLayer(parts.tars.nasty),
      plain: parts.extracted.plain,
    };
    for (const stack of stacks) {
      const lowers = stack.map((part) => layers[part]);
      await showsAs(t, parts, stack, lowers, fast ? ['fast_ino=1'] : []);
    }
  });
}

withRegistry(
  'whiteouts and opaque directories hide what they hide in plain directories, by overlay',
  byDriver('overlay', async (t) => {
    const parts = await prepare(t);
    const registry = await startRegistry();
    t.teardown(() => registry.stop());
    const { layers, config } = await imageOf(Object.values(parts.tars));
    const layerOf = (part: Part): Blob => layers[Object.keys(parts.tars).indexOf(part)] as Blob;
    const below = stacks.filter((stack) => !stack.slice(0, -1).includes('plain')); // which crfs-lower takes
    for (const [n, stack] of below.entries()) {
      const image = stack.filter((part) => part !== 'plain').map(layerOf);
      await pushImage({ layers: image.toReversed(), config }, `${registry.host}/stack:${n}`);
      const plain = stack.filter((part) => part === 'plain').map((part) => parts.extracted[part]);
      await showsAs(t, parts, stack, [`docker://${registry.host}/stack:${n}`, ...plain], []);
    }
  }),
);
