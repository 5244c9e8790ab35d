// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addon } from '../../src/native/addon.js';
import { byDriver, Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { serverOf } from './mounts.js';
import { descriptors, knownLayer, objectsOf, readAll } from './world.js';

const mounting = mountingTest();

function bytesOf(machine: Machine): number {
  return objectsOf(machine).reduce(
    (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512,
    0,
  );
}

function damage(path: string, content: Buffer): void {
  rmSync(path);
  writeFileSync(path, content);
}

mounting('the cache is kept within max-size while readers go on, and what is open stays readable', async (t) => {
  const limit = 6 << 20;
  const machine = new Machine({ CRFS_MAX_SIZE: String(limit) });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine);
  const mount = await machine.mount([known.layer]);
  const held = openSync(join(mount.merged, 'large-0'), 'r');
  t.deepEqual(await readAll(mount.merged, known), { failed: [], wrong: [] });
  await until('the cache is within its limit', () => bytesOf(machine) <= limit);
  t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] });
  t.is(readSync(held, Buffer.alloc(100), 0, 100, 2_000_000), 100);
  closeSync(held);
  t.true(machine.log.includes('made the cache smaller'));
});

mounting(
  'what is removed from the cache takes no room on the disk, although a mount goes on reading',
  byDriver('overlay', async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 2, large: 1 });
    const mount = await machine.mount([known.layer]);
    await readAll(mount.merged, known, 1);
    const server = await serverOf(machine, mount);
    const held = (): string[] => descriptors(server).filter((path) => path.startsWith(`${machine.objects}/`));
    const read = (name: string): Promise<Buffer> =>
      run('dd', [`if=${join(mount.merged, name)}`, 'bs=1M', 'iflag=direct', 'status=none']);
    await machine.crfs('cache', 'clear');
    await until('nobody holds what was removed', async () => {
      await read('large-0'); // so that it does not forget all that it has, as it does when nobody reads
      return !held().some((path) => path.endsWith(' (deleted)'));
    });
    t.is(
      known.digests.get('large-0'),
      createHash('sha256')
        .update(await read('large-0'))
        .digest('hex'),
    );
    await until('it keeps nothing open for nobody', () => held().length === 0);
  }),
);

mounting('crfs cache du, gc and clear tell and do what they say, with a daemon and without one', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 30, large: 1 });
  const mount = await machine.mount([known.layer]);
  await readAll(mount.merged, known, 1);
  const usage = JSON.parse(await machine.crfs('cache', 'du', '--json')) as Record<string, { files: number }>;
  t.is(usage['objects']?.files, known.digests.size);
  t.is(usage['index']?.files, 1);
  t.regex(await machine.crfs('cache', 'gc'), /^Removed 0 files/);
  t.regex(await machine.crfs('cache', 'clear'), new RegExp(`^Removed ${known.digests.size} files`));
  t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  await mount.unmount();
  await machine.stop();
  await run('find', [join(machine.objects, '..'), '-type', 'f', '-exec', 'touch', '-d', '1 hour ago', '{}', '+']);
  const { removed, left } = JSON.parse(await machine.crfs('cache', 'clear', '--json')) as Record<string, number>;
  t.is(removed, known.digests.size + 2, 'the index and the record go too');
  t.is(left, 0);
  t.regex(await machine.crfs('cache', 'du'), /^objects +0 +0 B$/m);
});

mounting('crfs cache verify finds flipped bits, cut and swapped files, and all is made anew', async (t) => {
  const machine = new Machine({ CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 30, large: 2 });
  const mount = await machine.mount([known.layer]);
  await readAll(mount.merged, known, 1);
  t.regex(await machine.crfs('cache', 'verify'), /^Checked \d+ files; 0 were bad\.$/m);
  const [flipped = '', cut = '', swapped = '', other = ''] = objectsOf(machine);
  const bits = readFileSync(flipped);
  bits[bits.length >> 1]! ^= 4;
  damage(flipped, bits);
  damage(cut, readFileSync(cut).subarray(1));
  damage(swapped, readFileSync(other));
  const error = await t.throwsAsync(machine.crfs('cache', 'verify', '--json'));
  t.regex(error?.message ?? '', /ended with 1/);
  for (const path of [flipped, cut, swapped]) t.throws(() => statSync(path), { code: 'ENOENT' });
  t.regex(await machine.crfs('cache', 'verify'), /; 0 were bad\.$/m);
  await mount.unmount();
  const again = await machine.mount([known.layer]);
  t.deepEqual(await readAll(again.merged, known, 4), { failed: [], wrong: [] });
});

mounting('crfs cache verify finds an index that breaks no rule and is not the one that was made', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 5, large: 0 });
  const mount = await machine.mount([known.layer]);
  await mount.unmount();
  const path = String(await run('find', [join(machine.objects, '../index'), '-type', 'f'])).trim();
  const bytes = readFileSync(path);
  const { index, table, inode } = addon.layout;
  const first = Number(bytes.readBigUInt64LE(index.inodes + table.offset));
  bytes.writeUInt32LE(12_345, first + inode.bytes + inode.uid);
  t.is(addon.indexCheck(bytes), null);
  damage(path, bytes);
  const error = await t.throwsAsync(machine.crfs('cache', 'verify'));
  t.regex(error?.message ?? '', /ended with 1/);
  t.throws(() => statSync(path), { code: 'ENOENT' });
  const again = await machine.mount([known.layer]);
  t.deepEqual(await readAll(again.merged, known, 1), { failed: [], wrong: [] });
  t.regex(await machine.crfs('cache', 'verify'), /; 0 were bad\.$/m);
});
