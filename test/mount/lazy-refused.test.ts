// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Where a host may not have a FUSE mount beside its own, files are read as a whole, and `crfs status` says why. Where
 * crfs-lower may not have one, a host mounts.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Status } from '../../src/main/daemon/status.js';
import { cc, SHIM } from '../tools/cc.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { crfs, Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest();

const refusals: Readonly<Record<string, string>> = { device: 'EACCES', fsopen: 'EPERM' };

const files = { large: noise(9 << 20), small: noise(30_000, 2) };

/** A machine, a layer of these files, and the environment of a command that is refused something. */
async function prepare(t: ExecutionContext, refused: string) {
  const machine = new Machine({ CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(
    tar,
    Object.entries(files).map(([name, content]) => ({ name, content })),
  );
  const layer = await makeLayer(tar);
  const shim = join(machine.root, 'refused.so');
  await cc('test/mount/refused.c', shim, SHIM);
  return { machine, layer, shimmed: { LD_PRELOAD: shim, REFUSED: refused } };
}

for (const [refused, error] of Object.entries(refusals)) {
  mounting(
    `without a FUSE mount of its own a mount reads whole files, and tells so: ${refused} is refused`,
    async (t) => {
      const { machine, layer, shimmed } = await prepare(t, refused);
      const through = ['env', ...Object.entries(shimmed).map(([name, value]) => `${name}=${value}`)];
      const { merged } = await machine.mount([layer], { through });
      const text = /reads wait for whole files: .*\((\w+)\)/;
      const told = async () => {
        const [mount] = ((await machine.status()) as Status).mounts;
        return { json: mount?.wholeFiles, text: text.exec(await machine.crfs('status'))?.[1] };
      };
      t.deepEqual(await told(), { json: null, text: undefined }, 'nothing was tried yet');
      t.true((await readFile(join(merged, 'small'))).equals(files.small));
      t.true((await readFile(join(merged, 'large'))).equals(files.large));
      t.deepEqual(await told(), { json: error, text: error });
      const status = await machine.status();
      t.like(status?.opens, { lazyOpens: 0, errors: 0 });
      t.is(status?.counters.objects, 2);
      const able = await machine.mount([layer]);
      t.true((await readFile(join(able.merged, 'large'))).equals(files.large));
      t.is((await machine.status())?.mounts.at(-1)?.wholeFiles, null);
    },
  );
}

mounting(
  "where no FUSE file system may be made for the kernel's overlay, a host mounts, and it is told why",
  async (t) => {
    const { machine, layer, shimmed } = await prepare(t, 'fsopen');
    const merged = machine.directory('merged');
    t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
    const mount = async (...how: string[]): Promise<Buffer> => {
      return await run(crfs, ['mount', ...how, layer, merged], { env: { ...machine.env, ...shimmed } });
    };
    const why = "the kernel's overlay cannot be had: cannot mount a FUSE file system: Operation not permitted";
    const refusal = await t.throwsAsync(mount('--driver', 'overlay'));
    t.is(refusal?.message.replace(/^.* ended with 1: /, ''), `crfs: ${JSON.stringify(merged)}: ${why}`);
    const [told, reason] = String(await mount()).split('\n');
    t.regex(told ?? '', /, read-only, by fuse-overlayfs$/);
    t.is(reason, `  ${why}`);
    t.like((await machine.status())?.mounts[0], { driver: 'fuse-overlayfs', why });
    t.true((await readFile(join(merged, 'large'))).equals(files.large));
  },
);
