// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { engineNames } from '../../src/workers/engine-names.js';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { daemonOf, damage, descriptors, dropObjects, knownLayer, times } from './world.js';

const mounting = mountingTest();
const MIB = 2 ** 20;

/** What a process holds: a number of descriptors, a number of threads, bytes of memory. */
type Holdings = Readonly<Record<'fds' | 'threads' | 'rss', number>>;

function holdingsOf(pid: number): Holdings {
  const rss = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  return { fds: descriptors(pid).length, threads: readdirSync(`/proc/${pid}/task`).length, rss };
}

/**
 * Waits until a process holds no more than before, but for so much: some of it is let go a while later, as threads that index
 * and memory of V8 are.
 */
async function letsGo(t: ExecutionContext, what: string, pid: number, before: Holdings, more: Holdings): Promise<void> {
  let after = before;
  try {
    await until(`${what} holds as much as before`, () => {
      after = holdingsOf(pid);
      return (['fds', 'threads', 'rss'] as const).every((key) => after[key] <= before[key] + more[key]);
    });
  } finally {
    t.log(`${what}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
  }
}

mounting('mounts that come and go leave no descriptor, thread or memory behind', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 10, large: 1 });
  const cycle = async (): Promise<void> => {
    const mount = await machine.mount([known.layer]);
    for (const path of known.digests.keys()) await readFile(join(mount.merged, path));
    await mount.unmount();
  };
  for (let n = 0; n < 10; n++) await cycle();
  await until('all mounts are let go', async () => (await machine.status())?.mounts.length === 0);
  const daemon = await daemonOf(machine);
  const before = holdingsOf(daemon);
  for (let n = 0; n < times(40, 2000); n++) await cycle();
  await letsGo(t, 'the daemon', daemon, before, { fds: 2, threads: 2, rss: 30 * MIB });
  t.is(await daemonOf(machine), daemon);
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
  await open(10_000);
  const before = { host: holdingsOf(host), daemon: holdingsOf(daemon) };
  const wanted = times(20_000, 1_000_000);
  for (let opened = 0; opened < wanted; opened += wanted / 10) {
    dropObjects(machine); // so that some have to wait
    await open(wanted / 10);
  }
  const more = { fds: 20, threads: 10, rss: 30 * MIB }; // libfuse has up to 10 threads, each with a pipe
  await letsGo(t, 'the host', host, before.host, more);
  await letsGo(t, 'the daemon', daemon, before.daemon, more);
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
    const open = (often: number): Promise<Buffer> =>
      run(process.execPath, ['-e', FAILING, String(often), 'file'], { cwd: mount.merged });
    await open(2000);
    const daemon = await daemonOf(machine);
    const before = holdingsOf(daemon);
    await open(times(4000, 40_000));
    await letsGo(t, 'the daemon', daemon, before, { fds: 2, threads: 2, rss: 12 * MIB });
    t.is(await daemonOf(machine), daemon);
  });
}
