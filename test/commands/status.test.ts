// SPDX-License-Identifier: GPL-3.0-or-later

/** What `crfs status` says is so, and fits into a terminal. */

import { readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Status } from '../../src/main/daemon/status.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { crfs, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { imageOf, invoke, layerOf, makeMachine, SMALL } from './setting.js';

const test = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

test('status tells of which image a mount is, its layers as --layer numbers them, and what was opened', async (t) => {
  const machine = makeMachine(t);
  const tars = ['base', 'middle', 'top'].map((name) => join(machine.directory('tars'), `${name}.tar`));
  for (const tar of tars) writeTar(tar, [{ name: tar.slice(-7), content: noise(50_000) }]);
  const { name, image } = await imageOf(t, tars);
  const merged = machine.directory('merged');
  for (const at of ['other', 'merged']) {
    const path = machine.directory(at);
    t.teardown(() => run('umount', ['-q', path]).catch(() => undefined));
    t.is((await invoke(machine, ['mount', name, at])).code, 0);
  }
  readFileSync(join(merged, 'top.tar'));
  readFileSync(join(merged, 'top.tar'));
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
  t.is(readFileSync(`/proc/${mount?.pid}/comm`, 'utf8'), 'fuse-overlayfs\n');
  t.regex(readFileSync(`/proc/${pid}/comm`, 'utf8'), /^(node|MainThread|node-MainThread)\n$/);
  t.true(usage.bytes < usage.limit);
  t.deepEqual([opens.hits + opens.misses, opens.errors], [2, 0]);
  const section = text.split('\n\n').find((part) => part.startsWith(`${merged}\n`)) ?? '';
  const [, configuration, , opened, , ...layers] = section.split('\n');
  t.is(configuration, `  docker://${name}`);
  t.is(
    opened,
    `  opened ${opens.hits} from the cache (${opens.hits > 1 ? '97.7' : '48.8'} KiB), ${opens.misses} waited for, 0 failed`,
  );
  const verified = 'the digests of its manifest';
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
  t.regex(after, /^opened +\d+ from the cache \([\d.]+ KiB\), \d+ waited for, 0 failed$/m, 'counts what has gone');
});

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
    /^crfs: \S.*: \d+% of 2\.9 MiB is here: no more of it is downloaded in the background; see the setting background\n$/,
  );
});

test('status says of an open that failed, whoever is asked', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, [{ name: 'noise', content: noise(200_000) }]);
  const layer = await makeLayer(tar);
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  t.is((await invoke(machine, ['mount', layer, 'merged'])).code, 0);
  truncateSync(layer, 10);
  t.throws(() => readFileSync(join(merged, 'noise')), { code: 'EIO' });
  const text = await machine.crfs('status');
  t.is(text.match(/opened +0 from the cache \(0 B\), \d waited for, 1 failed/g)?.length, 2, text);
});

test('status tells of mounts in other mount namespaces, also of those that the daemon cannot look into', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  for (const at of ['first', 'second']) {
    const merged = machine.directory(at);
    await run('unshare', ['-Urm', crfs, 'mount', layer, merged], { env: machine.env }); // the first starts the daemon there
    t.teardown(() => invoke(machine, ['umount', '--lazy', at]));
  }
  const lines = (await machine.crfs('status')).split('\n').filter((line) => line.startsWith('  pid '));
  t.deepEqual(
    lines.map((line) => line.replace(/^.* UTC/, '')),
    Array(2).fill(', in another mount namespace'),
  );
});
