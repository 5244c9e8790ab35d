// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineNames } from '../../src/workers/engine-names.js';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { daemonOf, damage, descriptors, dropObjects, knownLayer, times } from './world.js';

const mounting = mountingTest();
const MIB = 2 ** 20;

mounting('mounts that come and go leave no descriptor, thread or memory behind', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 10, large: 1 });
  const cycle = async (): Promise<void> => {
    const mount = await machine.mount([known.layer]);
    for (const path of known.digests.keys()) await readFile(join(mount.merged, path));
    await mount.unmount();
  };
  const look = async (): Promise<{ fds: number; threads: number; rss: number }> => {
    await until('all mounts are let go', async () => (await machine.status())?.mounts.length === 0);
    const pid = await daemonOf(machine);
    const rss = (await machine.status())?.memory.rss ?? 0;
    return { fds: descriptors(pid).length, threads: readdirSync(`/proc/${pid}/task`).length, rss };
  };
  for (let n = 0; n < 10; n++) await cycle();
  const before = await look();
  for (let n = 0; n < times(40, 2000); n++) await cycle();
  const after = await look();
  t.log(`${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
  t.true(after.fds <= before.fds + 2);
  t.true(after.threads <= before.threads + 2, 'threads that index end a second after they were used last');
  t.true(after.rss < before.rss + 30 * MIB);
});

/** Opens and closes files of the working directory, in turn, as often as its first argument says; ends with 1 if it cannot. */
const OPENER = `
  const { closeSync, openSync, readSync } = require('node:fs');
  const [times, ...paths] = process.argv.slice(1);
  const byte = Buffer.alloc(1);
  for (let n = 0; n < Number(times); n++) {
    const fd = openSync(paths[n % paths.length], 'r');
    readSync(fd, byte, 0, 1, 0);
    closeSync(fd);
  }`;

mounting('opens leave no descriptor, thread or memory behind, in the daemon and in the host', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 100, large: 1 });
  const options = ['fast_ino=1', 'threaded=1'];
  const mount = await machine.mount([known.layer], { foreground: true, options });
  const host = mount.host?.pid ?? 0;
  const daemon = await daemonOf(machine);
  const open = async (often: number): Promise<void> => {
    const reader = (): Promise<Buffer> =>
      run(process.execPath, ['-e', OPENER, String(often / 2), ...known.digests.keys()], { cwd: mount.merged });
    await Promise.all([reader(), reader()]);
  };
  const look = (): Record<string, { fds: number; threads: number; rss: number }> =>
    Object.fromEntries(
      Object.entries({ host, daemon }).map(([name, pid]) => {
        const rss = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
        return [name, { fds: descriptors(pid).length, threads: readdirSync(`/proc/${pid}/task`).length, rss }];
      }),
    );
  await open(10_000);
  await sleep(6000); // threads that index end a while after they were used last
  const before = look();
  const wanted = times(20_000, 1_000_000);
  for (let opened = 0; opened < wanted; opened += wanted / 10) {
    dropObjects(machine); // so that some have to wait
    await open(wanted / 10);
  }
  await sleep(1000); // hosts hear of the last closes a moment later
  const after = look();
  t.log(`${wanted} opens: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
  for (const name of ['host', 'daemon']) {
    const [was, is] = [before[name], after[name]];
    // libfuse has up to 10 threads, each with a pipe
    t.true((is?.fds ?? Number.NaN) <= (was?.fds ?? 0) + 20, `${name}: descriptors`);
    t.true((is?.threads ?? Number.NaN) <= (was?.threads ?? 0) + 10, `${name}: threads`);
    t.true((is?.rss ?? Number.NaN) < (was?.rss ?? 0) + 30 * MIB, `${name}: memory`);
  }
  t.is(await daemonOf(machine), daemon);
});

/** Opens a file that cannot be read, as often as its argument says; ends with 1 if it can. */
const FAILING = `
  const { openSync } = require('node:fs');
  const [times, path] = process.argv.slice(1);
  for (let n = 0; n < Number(times); n++) {
    try {
      openSync(path, 'r');
      process.exit(1);
    } catch {}
  }`;

for (const engine of engineNames) {
  mounting(`opens that fail leave no memory behind in the daemon, with ${engine}`, async (t) => {
    const machine = new Machine({ CRFS_ENGINE: engine });
    t.teardown(() => machine.dispose());
    const tree = machine.directory('tree');
    writeFileSync(join(tree, 'file'), randomBytes(20_000));
    await run('tar', ['-C', tree, '-cf', `${tree}.tar`, 'file']);
    const layer = await makeLayer(`${tree}.tar`);
    damage(layer, 10_000); // amid the file's content
    const mount = await machine.mount([layer]);
    const open = async (often: number): Promise<number> => {
      await run(process.execPath, ['-e', FAILING, String(often), 'file'], { cwd: mount.merged });
      return (await machine.status())?.memory.rss ?? 0;
    };
    const before = await open(2000);
    const after = await open(times(4000, 40_000));
    t.log(`${Math.round(before / MIB)} -> ${Math.round(after / MIB)} MiB`);
    t.true(after < before + 12 * MIB);
  });
}
