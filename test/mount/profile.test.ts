// SPDX-License-Identifier: GPL-3.0-or-later

/** What is learned of a start, and kept. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../../src/main/daemon/status.js';
import type { Profile } from '../../src/main/profile/profile.js';
import { noise } from '../tools/content.js';
import { eachDriver, type Machine, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { MIB, remoteLayer } from '../tools/remote-layer.js';
import { run } from '../tools/run.js';

const both = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const FILES = { one: noise(200_000, 1), two: noise(300_000, 2), large: noise(8 * MIB, 3), unread: noise(100_000, 4) };

type Start = NonNullable<Status['mounts'][number]['starts']>[number];

async function startOf(machine: Machine): Promise<Start | undefined> {
  return (await machine.status())?.mounts[0]?.starts?.[0];
}

async function shown(machine: Machine, image: string): Promise<Profile> {
  return JSON.parse(await machine.crfs('profile', 'show', image, '--json')) as Profile;
}

both('a first start is recorded as it happens: each file once, of large ones the chunks that were read', async (t) => {
  const { machine, mount, image } = await remoteLayer(t, FILES);
  const large = [`if=${join(mount.merged, 'large')}`, 'bs=4k', 'count=1', 'iflag=direct', 'status=none'];
  await run('dd', [...large, 'skip=1300']); // of the sixth MiB, before anything else has brought it along
  await readFile(join(mount.merged, 'two'));
  await readFile(join(mount.merged, 'one'));
  await readFile(join(mount.merged, 'two'));
  await until('all of it is noted', async () => (await startOf(machine))?.files === 3);
  t.like(await startOf(machine), { recording: 'under way' });
  await t.throwsAsync(machine.crfs('profile', 'show', image), { message: /there is no profile/ });
  await mount.unmount();
  await until('it is kept', () =>
    shown(machine, image).then(
      () => true,
      () => false,
    ),
  );
  const { program, layers, order } = await shown(machine, image);
  t.deepEqual(
    order.map(({ layer, path, first, count }) => [layer, path, first, count]),
    [
      [0, 'large', 5, 1],
      [0, 'two', 0, 1],
      [0, 'one', 0, 1],
    ],
  );
  t.is(program, '/large'); // all files of this layer are executable
  t.is(layers.length, 1);
  t.true(order.every(({ bytes }) => bytes > 100_000));
});

both('what was learned outlives the contents of the cache and the daemon, until it is removed', async (t) => {
  const { machine, mount, image, registry } = await remoteLayer(t, FILES);
  await readFile(join(mount.merged, 'one'));
  await until('it is noted', async () => (await startOf(machine))?.files === 1);
  await machine.crfs('stop'); // which ends no mount, but all that the daemon does for it
  await mount.unmount();
  await machine.crfs('cache', 'clear');
  t.regex(
    await machine.crfs('profile', 'show', image),
    /^sha256:.*\n {2}recorded .* with \/one\n {2}1 file, .* from 1 of 1 layer\n.*\n0 ms +1 .* \/one\n$/s,
  );
  const { image: digest } = await shown(machine, image);
  await registry.stop();
  t.is((await shown(machine, digest)).order.length, 1);
  await machine.crfs('profile', 'rm', digest);
  await t.throwsAsync(machine.crfs('profile', 'rm', digest), { message: /there is no profile of sha256:/ });
});

both('of a mount of which all is here, and of one that another daemon goes on with, nothing is recorded', async (t) => {
  const { machine, mount, image } = await remoteLayer(t, FILES);
  await machine.crfs('stop');
  await readFile(join(mount.merged, 'one')); // which starts another one
  t.deepEqual((await machine.status())?.mounts[0]?.starts, []);
  await machine.crfs('prefetch', image);
  await mount.unmount();
  const again = await machine.mount([image]);
  await readFile(join(again.merged, 'two'));
  t.deepEqual((await machine.status())?.mounts[0]?.starts, []);
  await again.unmount();
  await t.throwsAsync(machine.crfs('profile', 'show', image), { message: /there is no profile/ });
});
