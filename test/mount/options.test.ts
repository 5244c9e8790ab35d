// SPDX-License-Identifier: GPL-3.0-or-later

/** Ways to mount: whatever the options, the same layer shows. */

import { type BigIntStats, lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Driver } from '../../src/main/mount/driver.js';
import { makeLayer } from '../tools/layers.js';
import { byDriver, eachDriver, Machine, mountingTest } from '../tools/machine.js';
import { nastyLayer } from '../tools/nasty-layer.js';
import { run } from '../tools/run.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const mounting = mountingTest();
const both = eachDriver();

/** A machine, a layer, and what GNU tar makes of it but for one directory that it sees in another way. */
async function prepare() {
  const machine = new Machine();
  const { layer, tree, timeless } = await nastyLayer();
  const differences = async (merged: string): Promise<string[]> => {
    const shown = await describeTree(merged, { readers: 8 });
    const lines = compareTrees(shown, tree, { ignoreMtimeOf: timeless });
    return lines.filter((line) => !line.startsWith('"dot": '));
  };
  return { machine, layer, differences };
}

/** The ways to mount that show the same in different ways; `options` are of fuse-overlayfs. */
const ways: readonly { readonly how: string; readonly driver: Driver; readonly options: readonly string[] }[] = [
  { how: 'by overlay', driver: 'overlay', options: [] },
  ...['threaded=0', 'threaded=1'].flatMap((threaded) => [
    { how: `with ${threaded} and fast_ino`, driver: 'fuse-overlayfs' as const, options: [threaded, 'fast_ino=1'] },
    { how: `with ${threaded}`, driver: 'fuse-overlayfs' as const, options: [threaded] },
  ]),
];

for (const { how, driver, options } of ways) {
  mounting(
    `a mount in the foreground or background serves 8 readers, with and without upperdir, ${how}`,
    byDriver(driver, async (t) => {
      const { machine, layer, differences } = await prepare();
      t.teardown(() => machine.dispose());
      for (const foreground of [false, true]) {
        for (const upper of [true, false]) {
          const mount = await machine.mount([layer], { foreground, upper, options });
          t.deepEqual(await differences(mount.merged), [], `${foreground} ${upper}`);
          await mount.unmount();
          if (foreground) t.is(mount.host?.exitCode, 0);
          await run('find', [machine.objects, '-type', 'f', '-delete']); // the next mount finds nothing cached
        }
      }
    }),
  );
}

both('looking at everything fetches nothing', async (t) => {
  const { machine, layer } = await prepare();
  t.teardown(() => machine.dispose());
  for (const options of [['fast_ino=1'], []]) {
    const mount = await machine.mount([layer], { upper: true, options });
    const lines = String(await run('find', [mount.merged, '-ls'])).split('\n');
    t.true(lines.length > 100);
    const status = await machine.status();
    t.deepEqual([status?.counters.requests, status?.counters.objects, status?.counters.readBytes], [0, 0, 0]);
    t.like(status?.mounts[0]?.ring, { hits: 0, misses: 0, errors: 0 });
    await mount.unmount();
  }
});

for (const options of [['fast_ino=1'], []]) {
  const how = options.length > 0 ? 'with fast_ino' : 'without fast_ino';
  mounting(`the names of a file have one inode, which stays the same from mount to mount, ${how}`, async (t) => {
    const { machine, layer } = await prepare();
    t.teardown(() => machine.dispose());
    const numbers: bigint[][] = [];
    for (let round = 0; round < 2; round++) {
      const mount = await machine.mount([layer], { options });
      const stat = (path: string): BigIntStats => lstatSync(join(mount.merged, path), { bigint: true });
      const names = ['links/setuid', 'links/hard-to-setuid', 'links/hard-with-dot', 'links/hard-to-hard'].map(stat);
      t.is(new Set(names.map(({ ino }) => ino)).size, 1);
      t.true(names.every(({ nlink }) => nlink === BigInt(names.length)));
      numbers.push([...names, stat('.'), stat('names'), stat('sizes/513'), stat('meta/char')].map(({ ino }) => ino));
      await mount.unmount();
      await machine.stop();
    }
    t.deepEqual(numbers[0], numbers[1]);
    t.is(new Set(numbers[0]).size, 5);
  });
}

both('mounts of the same layer and of another serve side by side', async (t) => {
  const { machine, layer, differences } = await prepare();
  t.teardown(() => machine.dispose());
  const other = await makeLayer(writeWhiteoutTars(machine.directory('other')).lower);
  const first = await machine.mount([layer]);
  const second = await machine.mount([layer], { upper: true });
  const third = await machine.mount([other]);
  t.deepEqual(await Promise.all([differences(first.merged), differences(second.merged)]), [[], []]);
  t.is(String(await run('cat', [join(third.merged, 'kept')])), 'kept\n');
  const status = await machine.status();
  t.deepEqual(
    status?.layers.map(({ name, mounts }) => [name, mounts]),
    [
      [layer, 2],
      [other, 1],
    ],
  );
  await first.unmount();
  t.deepEqual(await differences(second.merged), []);
});

mounting('a layer may stand in one lowerdir list twice', async (t) => {
  const { machine, layer, differences } = await prepare();
  t.teardown(() => machine.dispose());
  const mount = await machine.mount([layer, layer], { upper: true });
  t.deepEqual(await differences(mount.merged), []);
});
