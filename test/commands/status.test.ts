// SPDX-License-Identifier: GPL-3.0-or-later

/** What `crfs status` says is so, and fits into a terminal. */

import { readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Status } from '../../src/main/daemon/status.js';
import { DRIVERS } from '../../src/main/mount/driver.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { imageOf, invoke, layerOf, makeMachine, mountElsewhere, SMALL } from './setting.js';

const test = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

for (const driver of DRIVERS) {
  test(`status tells of which image a mount is, its layers as --layer numbers them, and what was opened, by ${driver}`, async (t) => {
    const machine = makeMachine(t);
    const tars = ['base', 'middle', 'top'].map((name) => join(machine.directory('tars'), `${name}.tar`));
    for (const tar of tars) writeTar(tar, [{ name: tar.slice(-7), content: noise(50_000) }]);
    const { name, image } = await imageOf(t, tars);
    const merged = machine.directory('merged');
    for (const at of ['other', 'merged']) {
      const path = machine.directory(at);
      t.teardown(() => run('umount', ['-q', path]).catch(() => undefined));
      t.is((await invoke(machine, ['mount', name, at, '--driver', driver])).code, 0);
    }
    for (const at of ['other', 'merged']) readFileSync(join(machine.root, at, 'top.tar'));
    readFileSync(join(merged, 'top.tar')); // the kernel's overlay has it by now
    await until('all is downloaded, and the cache measured', async () => {
      const status = await machine.status();
      return (
        (status?.usage.bytes ?? 0) > 150_000 && status?.layers.every(({ fetched }) => fetched?.present === 1) === true
      );
    });
    const text = await machine.crfs('status', '--wait');
    for (const line of text.split('\n')) t.true(line.length <= 80 || line.includes(machine.root), line);
    const { mounts, pid, usage, opens } = (await machine.status()) as Status;
    const mount = mounts.find(({ mountpoint }) => mountpoint === merged);
    t.truthy(mount);
    t.is(readFileSync(`/proc/${mount?.pid}/comm`, 'utf8'), driver === 'overlay' ? 'crfs-lower\n' : 'fuse-overlayfs\n');
    t.regex(readFileSync(`/proc/${pid}/comm`, 'utf8'), /^(node|MainThread|node-MainThread)\n$/);
    t.true(usage.bytes < usage.limit);
    t.is(opens.errors, 0);
    const opensAt = (at: string): (number | undefined)[] => {
      const ring = mounts.find(({ mountpoint }) => mountpoint === join(machine.root, at))?.ring;
      return [(ring?.hits ?? 0) + (ring?.misses ?? 0), ring?.lazyOpens];
    };
    t.deepEqual(opensAt('other'), [1, 0]);
    // of what is published when a later mount opens it, the kernel's overlay may have no need of us
    const times = driver === 'overlay' ? (mount?.ring?.hits ?? 0) : 2;
    t.true(times <= 2);
    t.deepEqual(opensAt('merged'), [times, 0]);
    const section = text.split('\n\n').find((part) => part.startsWith(`${merged}\n`)) ?? '';
    const uncounted = /^ {2}not counted: what is in the cache already, which the kernel opens by itself\n/m;
    t.is(uncounted.test(section), mount?.ring?.unseen === 1);
    const [, configuration, , why, opened, , ...layers] = section.replace(uncounted, '').split('\n');
    t.is(configuration, `  docker://${name}`);
    t.is(why, `  --driver ${driver} asks for it`);
    t.is(
      opened,
      `  opened ${times} from the cache (${['0 B', '48.8 KiB', '97.7 KiB'][times]}), 0 waited for, 0 failed`,
    );
    const verified = 'its manifest';
    t.deepEqual(
      layers.filter((line) => line !== '').map((line) => line.trim().split(/ {2,}/)),
      image.layers.map(({ digest, size }, i) => {
        return [String(i + 1), digest.slice(7, 19), 'estargz', `100% of ${(size / 1024).toFixed(1)} KiB`, verified];
      }),
    );
    await invoke(machine, ['umount', 'merged']);
    let after = '';
    await until('the daemon knows that the host has ended', async () => {
      after = await machine.crfs('status');
      return !after.includes(`${merged}\n`);
    });
    t.regex(
      after,
      /^opened +\d+ from the cache \([\d.]+ (KiB|B)\), \d+ waited for, 0 failed$/m,
      'counts what has gone',
    );
  });
}

for (const driver of DRIVERS) {
  test(`a later daemon tells of a mount what it was told to mount, and since when it is there, by ${driver}`, async (t) => {
    const machine = makeMachine(t);
    const tar = join(machine.directory('tars'), 'image.tar');
    writeTar(tar, [{ name: 'noise', content: noise(50_000) }]);
    const { name } = await imageOf(t, [tar]);
    const merged = machine.directory('merged');
    t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
    t.is((await invoke(machine, ['mount', name, 'merged', '--driver', driver])).code, 0);
    const before = (await machine.status())?.mounts;
    await machine.stop();
    readFileSync(join(merged, 'noise'));
    const { started, mounts } = (await machine.status()) as Status;
    const [mount] = mounts;
    t.deepEqual(mount?.configurations, [`docker://${name}`]);
    t.deepEqual(mount?.configurations, before?.[0]?.configurations);
    t.true(new Date(mount?.since ?? '') < new Date(started), `${mount?.since} ${started}`);
    t.regex(await machine.crfs('status'), new RegExp(`^${merged}\n  docker://${name}\n`, 'm'));
  });
}

test('status --wait says of a layer that is not downloaded as a whole', async (t) => {
  const machine = makeMachine(t, { CRFS_BACKGROUND: 'off' });
  const tar = join(machine.directory('tars'), 'image.tar');
  writeTar(tar, [{ name: 'noise', content: noise(3_000_000) }]);
  const { name } = await imageOf(t, [tar]);
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  t.is((await invoke(machine, ['mount', name, 'merged'])).code, 0);
  const { code, stderr } = await invoke(machine, ['status', '--wait']);
  t.is(code, 1);
  t.regex(
    stderr,
    /^crfs: docker:\/\/\S+: layer sha256:\S+: \d+% of 2\.9 MiB is here: no more of it is downloaded in the background; see the setting background\n$/,
  );
});

for (const driver of DRIVERS) {
  test(`status says of an open that failed, whoever is asked, by ${driver}`, async (t) => {
    const machine = makeMachine(t);
    const tar = join(machine.root, 'image.tar');
    writeTar(tar, [{ name: 'noise', content: noise(200_000) }]);
    const layer = await makeLayer(tar);
    const merged = machine.directory('merged');
    t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
    t.is((await invoke(machine, ['mount', layer, 'merged', '--driver', driver])).code, 0);
    truncateSync(layer, 10);
    t.throws(() => readFileSync(join(merged, 'noise')), { code: 'EIO' });
    const text = await machine.crfs('status');
    // the kernel asks for a page again before it gives up on it, where it reads by itself
    t.is(text.match(/opened +0 from the cache \(0 B\), 1 waited for, [12] failed/g)?.length, 2, text);
  });
}

test('status tells of mounts in other mount namespaces, also of those that the daemon cannot look into', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  for (const at of ['first', 'second']) {
    const merged = machine.directory(at);
    await mountElsewhere(t, machine, layer, merged); // the first starts the daemon there
  }
  const text = await machine.crfs('status');
  t.is(text.match(/^  by overlay, pid .* UTC, in another mount\s+namespace$/gm)?.length, 2, text);
});
