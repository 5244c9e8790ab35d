// SPDX-License-Identifier: GPL-3.0-or-later

/** Daemons on machines that have run out of something other than room in the cache, or on which something is slow. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { crfs, Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import {
  daemonOf,
  daemonsOf,
  descriptors,
  dropObjects,
  faulty,
  gone,
  heldLock,
  holdConnections,
  knownLayer,
  newestDaemon,
  readAll,
} from './world.js';

const mounting = mountingTest();
const RIGHT = { failed: [], wrong: [] };

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
/** The number that the next descriptor of a process gets. */
function firstFree(pid: number): number {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (taken.has(free)) free++;
  return free;
}

/** A mount that has read everything, and its daemon, on which `fault` happens while the file `flag` is there. */
async function mountWith(t: ExecutionContext, fault: string, sizes: { small: number; large: number }) {
  const machine = new Machine();
  const flag = join(machine.root, 'flag');
  Object.assign(machine.env, faulty(fault, flag));
  t.teardown(() => machine.dispose());
  t.teardown(() => rmSync(flag, { force: true }));
  const known = await knownLayer(machine, sizes);
  const mount = await machine.mount([known.layer]);
  t.deepEqual(await readAll(mount.merged, known, 2), RIGHT);
  return { machine, flag, known, mount, daemon: await daemonOf(machine) };
}

const readies = (machine: Machine): number => machine.log.split('"the daemon is ready"').length - 1;

mounting(
  'while the disk is slow a daemon that was asked to end serves its mounts, and nobody starts another',
  async (t) => {
    const { machine, flag: slow, known, mount, daemon } = await mountWith(t, 'slow sync', { small: 40, large: 1 });
    writeFileSync(slow, '');
    const said = join(machine.root, 'said');
    const stopping = run('script', ['--quiet', '--return', '--flush', '--command', `${crfs} stop`, said], machine);
    await until('who asks is told what for', () => /^crfs: still waiting for the daemon to end, /m.test(textOf(said)));
    t.true(existsSync(`${slow}.held`));
    dropObjects(machine);
    t.deepEqual(await readAll(mount.merged, known, 4), RIGHT);
    t.deepEqual(daemonsOf(machine), [daemon]);
    rmSync(slow);
    await stopping;
    await gone(daemon);
    dropObjects(machine);
    t.deepEqual(await readAll(mount.merged, known, 4), RIGHT);
    t.is(readies(machine), 2);
  },
);

mounting('a daemon that ends while the disk is slow waits for it no longer once its cache is removed', async (t) => {
  const { machine, flag: slow, known, mount, daemon } = await mountWith(t, 'slow sync', { small: 2, large: 1 });
  const cache = join(machine.root, 'cache/crfs-plugin');
  writeFileSync(slow, '');
  rmSync(join(cache, 'control.sock'));
  await until('it waits for the disk', () => existsSync(`${slow}.held`));
  rmSync(cache, { recursive: true });
  const [read] = await Promise.all([readAll(mount.merged, known, 4), gone(daemon)]);
  t.deepEqual(read, RIGHT);
});

mounting('a daemon that a mount has started waits for the lock, alone, and then serves', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 1 });
  const mounts = [await machine.mount([known.layer]), await machine.mount([known.layer])];
  const first = await daemonOf(machine);
  process.kill(first, 'SIGKILL');
  await gone(first);
  const release = await heldLock(machine);
  const readings = mounts.map(({ merged }) => readAll(merged, known, 2));
  await until('a daemon waits', () => daemonsOf(machine).length === 1);
  const [waiting] = daemonsOf(machine);
  await machine.crfs('status'); // it is long enough for others to come
  t.deepEqual(daemonsOf(machine), [waiting]);
  release();
  for (const reading of readings) t.deepEqual(await reading, RIGHT);
  t.is(waiting, newestDaemon(machine));
});

mounting(
  'a lock that is never let go refuses a mount within CRFS_TIMEOUT, in a line that tells who has it',
  async (t) => {
    const machine = new Machine({ CRFS_TIMEOUT: '20' });
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 1, large: 0 });
    await (await machine.mount([known.layer])).unmount();
    const last = await daemonOf(machine);
    await machine.crfs('stop');
    const release = await heldLock(machine);
    const error = await t.throwsAsync(machine.mount([known.layer]));
    const line = new RegExp(
      `^crfs: .* the daemon did not start in time: another daemon, process ${last} on \\S+, has the lock of \\S+ and does not answer$`,
      'm',
    );
    t.regex(error?.message ?? '', line);
    await until('nobody waits any more', () => daemonsOf(machine).length === 0);
    release();
  },
);

mounting('without inotify a daemon starts, and still notices that its cache was removed', async (t) => {
  const { machine, flag: blind, known, mount, daemon } = await mountWith(t, 'no inotify', { small: 2, large: 1 });
  t.regex(machine.log, /cannot watch/);
  writeFileSync(blind, '');
  rmSync(machine.objects, { recursive: true });
  const reading = readAll(mount.merged, known, 2);
  await until('a reader needs what was removed', () => machine.log.includes('cannot serve'));
  writeFileSync(`${blind}.held`, '');
  const looks = (): number => textOf(`${blind}.held`).split('\n5000').length;
  await until('two timers are held for the third time, 10 s apart, longer than a mount asks again', () => looks() > 6);
  rmSync(blind);
  t.deepEqual(await reading, RIGHT);
  await gone(daemon);
});

mounting(
  'a mount whose daemons are all killed, as for want of memory, is refused in a line that says so',
  async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const gate = new Gate();
    const proxy = await startFaultProxy({ upstream: 'http://127.0.0.1:1' });
    t.teardown(() => proxy.close());
    t.teardown(() => gate.open());
    proxy.fault = () => ({ kind: 'hold', gate });
    let isRefused = false;
    const refusal = t.throwsAsync(machine.mount([`${proxy.url}/layer.gz`])).finally(() => {
      isRefused = true;
    });
    await until('the mount is refused', () => {
      if (proxy.seen.length > 0) for (const pid of daemonsOf(machine)) process.kill(pid, 'SIGKILL');
      proxy.reset();
      return isRefused;
    });
    t.regex(
      (await refusal)?.message ?? '',
      /^crfs: .*: the daemon ended: its log tells why, or it was killed, as for want of memory$/m,
    );
  },
);

mounting('a daemon that cannot start as a whole tells why, and leaves no process', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 1, large: 0 });
  const inTheWay = join(machine.root, 'cache/crfs-plugin/control.sock/full');
  mkdirSync(inTheWay, { recursive: true, mode: 0o700 });
  const error = await t.throwsAsync(machine.mount([known.layer]));
  t.regex(error?.message ?? '', /^crfs: .*the daemon did not start: .*directory/im);
  await until('no daemon is left', () => daemonsOf(machine).length === 0);
  rmSync(join(inTheWay, '..'), { recursive: true });
  const mount = await machine.mount([known.layer]);
  t.deepEqual(await readAll(mount.merged, known, 1), RIGHT);
});

mounting('with no descriptors left a mount is refused in one line, others read on, and later it mounts', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const daemonCommand = join(machine.root, 'few');
  writeFileSync(daemonCommand, `#!/bin/sh\nulimit -n 160\nexec ${crfs} "$@"\n`, { mode: 0o755 });
  machine.env['CRFS_PLUGIN_DAEMON'] = daemonCommand;
  const known = await knownLayer(machine, { small: 40, large: 2 });
  const mount = await machine.mount([known.layer]);
  const daemon = await daemonOf(machine);
  const free = 160 - 48 - descriptors(daemon).length; // 48 are kept for those that are there
  const letGo = await holdConnections(join(machine.root, 'cache/crfs-plugin/control.sock'), free + 2);
  t.teardown(letGo);
  const error = await t.throwsAsync(machine.mount([known.layer]));
  const lines = (error?.message ?? '').match(/\bcrfs: .*$/gm) ?? [];
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', new RegExp(`process ${daemon}\\) may have no more descriptors open: unmount`));
  t.deepEqual(await readAll(mount.merged, known, 4), RIGHT);
  await letGo();
  await until('they are let go', () => descriptors(daemon).length < 160 - 48 - free / 2);
  const later = await machine.mount([known.layer]);
  t.deepEqual(await readAll(later.merged, known, 4), RIGHT);
  t.is(await daemonOf(machine), daemon);
});

mounting(
  'a daemon that is short of descriptors serves with the workers that it has, and gets more later',
  async (t) => {
    const machine = new Machine({ CRFS_WORKERS: '6' });
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 160, large: 4 });
    const mount = await machine.mount([known.layer]);
    const daemon = await daemonOf(machine);
    const allow = (most: number) => run('prlimit', [`--pid=${daemon}`, `--nofile=${most}:`]);
    const readAnew = async (): Promise<void> => {
      dropObjects(machine);
      t.deepEqual(await readAll(mount.merged, known), RIGHT);
      t.is(newestDaemon(machine), daemon);
    };
    await allow(firstFree(daemon) + 12);
    await until('a worker more is wanted', async () => {
      await readAnew();
      return /no more workers are started: only \d+ descriptors are left/.test(machine.log);
    });
    const threads = (): number => readdirSync(`/proc/${daemon}/task`).length;
    const few = threads();
    await allow(1000);
    await until('there are more', async () => {
      await readAnew();
      return threads() > few;
    });
  },
);

mounting('where a connection cannot even be accepted its mount is told so, and later it mounts', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 0 });
  const mount = await machine.mount([known.layer]);
  t.deepEqual(await readAll(mount.merged, known, 1), RIGHT);
  const daemon = newestDaemon(machine);
  const allow = (most: number) => run('prlimit', [`--pid=${daemon}`, `--nofile=${most}:`]);
  await until('a connection was not accepted', async () => {
    await allow(firstFree(daemon)); // what the daemon has, and no more: it may be about to close some
    const mounted = await machine.mount([known.layer]).catch((error: Error) => error);
    if (!(mounted instanceof Error)) {
      await mounted.unmount();
      return false;
    }
    const lines = mounted.message.match(/\bcrfs: .*$/gm) ?? [];
    t.is(lines.length, 1, mounted.message);
    t.regex(lines[0] ?? '', new RegExp(`process ${daemon}\\) may have no more descriptors open: unmount`));
    return machine.log.includes('cannot accept a mount: ');
  });
  t.deepEqual(await readAll(mount.merged, known, 4), RIGHT);
  await allow(1000);
  const later = await machine.mount([known.layer]);
  t.deepEqual(await readAll(later.merged, known, 4), RIGHT);
  t.is(await daemonOf(machine), daemon);
});

for (const [what, make] of [
  ['a full disk', (path: string) => symlinkSync('/dev/full', path)],
  ['a directory', (path: string) => mkdirSync(path)],
] as const) {
  mounting(`with ${what} in place of the log mounts are made, read and go on with the next daemon`, async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 20, large: 1 });
    const log = join(machine.root, 'state/crfs-plugin/daemon.log');
    mkdirSync(join(log, '..'), { mode: 0o700 });
    make(log);
    const mounts = [await machine.mount([known.layer]), await machine.mount([known.layer])];
    for (const { merged } of mounts) t.deepEqual(await readAll(merged, known, 2), RIGHT);
    const daemon = await daemonOf(machine);
    await machine.crfs('stop');
    dropObjects(machine);
    for (const { merged } of mounts) t.deepEqual(await readAll(merged, known, 2), RIGHT);
    t.not(await daemonOf(machine), daemon);
    await machine.crfs('stop');
    rmSync(log, { recursive: true });
    t.deepEqual(await readAll(mounts[0]?.merged ?? '', known, 1), RIGHT);
  });
}

mounting(
  'cache, state and log on one full disk: what is there is read, the rest gives ENOSPC until there is room',
  async (t) => {
    const machine = new Machine();
    const disk = machine.directory('disk');
    await run('mount', ['-t', 'tmpfs', '-o', 'mode=700,size=14M', 'none', disk]);
    t.teardown(async () => {
      await run('umount', ['-l', disk]);
      await machine.dispose();
    });
    for (const part of ['cache', 'state'] as const) {
      machine.env[`XDG_${part.toUpperCase()}_HOME`] = machine.directory(`disk/${part}`);
    }
    const known = await knownLayer(machine, { small: 160, large: 6 });
    const mount = await machine.mount([known.layer]);
    const fill = (): void => {
      try {
        writeFileSync(join(disk, 'filler'), Buffer.alloc(20 << 20));
      } catch {
        // It is full now, which is what we want.
      }
    };
    const before = await readAll(mount.merged, known, 1);
    fill();
    const failing = new Set(before.failed.map((line) => line.split(': ')[1]));
    t.true(failing.size > 0 && failing.size < known.digests.size);
    for (const daemon of ['the same', 'the next'] as const) {
      if (daemon === 'the next') {
        const pid = await daemonOf(machine);
        process.kill(pid, 'SIGKILL');
        await gone(pid);
      }
      const { failed, wrong } = await readAll(mount.merged, known, 2);
      t.deepEqual(wrong, []);
      t.deepEqual(new Set(failed.map((line) => line.split(': ').at(-1))), new Set(['No space left on device']), daemon);
      t.true(
        failed.every((line) => failing.has(line.split(': ')[1])),
        'what is there is read',
      );
    }
    const second = await machine.mount([known.layer]).catch(() => undefined); // made, or refused
    rmSync(join(disk, 'filler'));
    await run('mount', ['-o', 'remount,mode=700,size=80M', disk]);
    for (const { merged } of [mount, second ?? mount, await machine.mount([known.layer])]) {
      t.deepEqual(await readAll(merged, known, 2), RIGHT);
    }
  },
);

mounting('a daemon whose sockets were removed ends, and mounts go on with the next', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 1 });
  const mount = await machine.mount([known.layer]);
  const sockets = join(machine.root, 'cache/crfs-plugin');
  for (const names of [['api.sock'], ['control.sock'], ['daemon.lock'], ['api.sock', 'control.sock', 'daemon.lock']]) {
    t.deepEqual(await readAll(mount.merged, known, 2), RIGHT);
    const daemon = await daemonOf(machine);
    for (const name of names) rmSync(join(sockets, name));
    await gone(daemon);
    dropObjects(machine);
    t.deepEqual(await readAll(mount.merged, known, 2), RIGHT, names.join());
    t.not(await daemonOf(machine), daemon);
  }
  t.true(readdirSync(sockets).includes('control.sock'));
});

mounting('however long the path of the cache is, the daemon is reached', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  machine.env['XDG_CACHE_HOME'] = machine.directory(`${'long/'.repeat(30)}cache`);
  const known = await knownLayer(machine, { small: 5, large: 0 });
  const mount = await machine.mount([known.layer]);
  t.deepEqual(await readAll(mount.merged, known, 1), RIGHT);
  t.is((await machine.status())?.mounts[0]?.mountpoint, mount.merged);
});

mounting('the daemon is found from whatever shell, and a cache has but one', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 5, large: 0 });
  await machine.mount([known.layer]);
  const daemon = await daemonOf(machine);
  for (const runtime of [undefined, machine.directory('another'), '/nowhere']) {
    machine.env['XDG_RUNTIME_DIR'] = runtime;
    t.is(await daemonOf(machine), daemon);
    await t.throwsAsync(machine.crfs('daemon'), { message: /a daemon of yours is running already/ });
    await machine.mount([known.layer]);
  }
  t.is((await machine.status())?.mounts.length, 4);
  t.is(readFileSync(join(machine.root, 'cache/crfs-plugin/daemon.lock'), 'latin1').split(' ')[1], String(daemon));
});
