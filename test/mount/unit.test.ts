// SPDX-License-Identifier: GPL-3.0-or-later

/** Which cgroup the daemon is in: not that of the mount that has started it, where there is another one to go to. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { mountsOf } from '../../src/main/daemon/mountinfo.js';
import { daemonOf, dropObjects, gone, type Known, knownLayer, readAll } from '../faults/world.js';
import { LET_GO, lowerdir, Machine, mountingTest, plugin, until, whyNoMounts } from '../tools/machine.js';
import { run } from '../tools/run.js';

const RIGHT = { failed: [], wrong: [] };
const top = mountsOf().findLast(({ type }) => type === 'cgroup2')?.path ?? '';
const mounting = mountingTest(whyNoMounts() ?? whyNoCgroups());
let groups = 0;

function whyNoCgroups(): string | undefined {
  try {
    const group = join(top, `crfs-test-${process.pid}`);
    mkdirSync(group);
    rmdirSync(group);
    return undefined;
  } catch (error) {
    return `no cgroup can be made: ${(error as Error).message}`;
  }
}

/** Enters a cgroup, by the path that this process has for it, and then runs what follows. */
const INTO = ['sh', '-c', 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', 'sh'] as const;

const HOLD = `
  ${LET_GO}
  mount -t cgroup2 -o "$1" none /sys/fs/cgroup && mount --bind "$2" /proc/1/comm && echo ready && read -r end`;

interface World {
  readonly machine: Machine;
  readonly known: Known;
  /** The cgroup that mounts see as the top one, with the cgroups `first` and `second` below it. */
  readonly group: string;
  /** Mounts the layer by a process in one of these. Resolves to where it is to be seen from here. */
  readonly mount: (unit: 'first' | 'second') => Promise<string>;
}

/** A machine with a cgroup2 hierarchy of its own, mounted by `options`, whose first process has the name `init`. */
async function prepare(t: ExecutionContext, { init = 'init', options = 'rw' } = {}): Promise<World> {
  const group = join(top, `crfs-test-${process.pid}-${groups++}`);
  for (const unit of ['', 'first', 'second']) mkdirSync(join(group, unit));
  t.teardown(async () => {
    const inside = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const path of [...inside.map(({ name }) => join(group, name)), group]) {
      await until(`${path} is empty`, () => /^populated 0$/m.test(readFileSync(join(path, 'cgroup.events'), 'utf8')));
      rmdirSync(path);
    }
  });
  const machine = new Machine();
  const comm = join(machine.root, 'comm');
  writeFileSync(comm, `${init}\n`);
  const unshared = ['unshare', '--mount', '--cgroup', 'sh', '-c', HOLD, 'sh', options, comm];
  const [enter, ...args] = [...INTO, group, ...unshared];
  const holder = spawn(enter, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(async () => {
    holder.stdin.end('\n');
    await once(holder, 'exit');
  });
  await once(holder.stdout, 'data');
  const within = ['nsenter', `--target=${holder.pid}`, '--mount', '--cgroup'];
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 1 });
  const mount: World['mount'] = async (unit) => {
    const merged = machine.directory(unit);
    const asked = `fast_ino=1,plugins=${plugin},lowerdir=${lowerdir(known.layer, machine.directory('lower'))}`;
    const host = ['fuse-overlayfs', '-o', asked, merged];
    t.teardown(() => run('nsenter', [...within.slice(1), 'umount', '-l', merged]));
    const [program, ...rest] = [...INTO, join(group, unit), ...within, ...host];
    await run(program, rest, { env: machine.env });
    return `/proc/${holder.pid}/root${merged}`;
  };
  return { machine, known, group, mount };
}

const processesOf = (cgroup: string): number[] =>
  readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').trim().split('\n').map(Number);

const isIn = async (machine: Machine, cgroup: string): Promise<void> =>
  await until(`the daemon is in ${cgroup}`, async () => (await machine.status())?.cgroup === cgroup);

mounting('all processes of the first mount are killed, and the daemon serves the second one', async (t) => {
  const { machine, known, group, mount } = await prepare(t);
  t.deepEqual(await readAll(await mount('first'), known, 1), RIGHT);
  await isIn(machine, '/crfs-plugin');
  const daemon = await daemonOf(machine);
  const own = join(group, 'crfs-plugin');
  t.deepEqual(processesOf(own), [daemon]);
  const first = (await machine.status())?.mounts[0]?.pid ?? 0;
  t.deepEqual(processesOf(join(group, 'first')), [first], 'nothing else has moved, or been left');
  const second = await mount('second');
  writeFileSync(join(group, 'first/cgroup.kill'), '1');
  await gone(first);
  dropObjects(machine);
  t.deepEqual(await readAll(second, known, 2), RIGHT);
  t.is(await daemonOf(machine), daemon);
  await machine.stop();
  t.false(existsSync(own), 'it is removed when the daemon ends');
});

mounting('a daemon whose unit has gone leaves an empty cgroup, which the next one takes', async (t) => {
  const { machine, known, group, mount } = await prepare(t);
  await mount('first');
  await isIn(machine, '/crfs-plugin');
  const first = (await machine.status())?.mounts[0]?.pid ?? 0;
  const second = await mount('second');
  writeFileSync(join(group, 'first/cgroup.kill'), '1');
  await gone(first);
  rmdirSync(join(group, 'first'));
  await machine.stop();
  t.true(existsSync(join(group, 'crfs-plugin')));
  dropObjects(machine);
  t.deepEqual(await readAll(second, known, 2), RIGHT);
  await isIn(machine, '/crfs-plugin');
});

mounting('where systemd runs the machine, it is asked for a scope', async (t) => {
  const { machine, known, mount } = await prepare(t, { init: 'systemd' });
  const asked = join(machine.root, 'asked');
  const bin = machine.directory('bin');
  const script = [
    '#!/bin/sh',
    `printf '%s\\n' "$@" >${asked}`,
    'while [ "$1" != PIDs ]; do shift; done',
    'mkdir /sys/fs/cgroup/scope && echo "$4" >/sys/fs/cgroup/scope/cgroup.procs',
  ];
  writeFileSync(join(bin, 'busctl'), `${script.join('\n')}\n`, { mode: 0o755 });
  machine.env['PATH'] = `${bin}:${machine.env['PATH']}`;
  const merged = await mount('first');
  await isIn(machine, '/scope');
  const daemon = await daemonOf(machine);
  t.is(
    readFileSync(asked, 'utf8').replaceAll('\n', ' '),
    `--system --quiet --timeout=5 call org.freedesktop.systemd1 /org/freedesktop/systemd1 ` +
      `org.freedesktop.systemd1.Manager StartTransientUnit ssa(sv)a(sa(sv)) crfs-plugin-${daemon}.scope fail ` +
      `2 PIDs au 1 ${daemon} Description s crfs-plugin: the daemon 0 `,
  );
  t.deepEqual(await readAll(merged, known, 1), RIGHT);
});

mounting('where there is no other cgroup to go to, the daemon stays, and the log says why', async (t) => {
  const { machine, known, mount } = await prepare(t, { init: 'systemd', options: 'ro' });
  const bin = machine.directory('bin');
  writeFileSync(join(bin, 'busctl'), '#!/bin/sh\necho "no bus" >&2\nexit 1\n', { mode: 0o755 });
  machine.env['PATH'] = `${bin}:${machine.env['PATH']}`;
  const merged = await mount('first');
  await until('the log says it', () => machine.log.includes('stays in the cgroup'));
  t.regex(machine.log, /"cgroup":"\/first","msg":"stays in the cgroup of its first mount: busctl: no bus; read-only/);
  t.is((await machine.status())?.cgroup, '/first');
  t.deepEqual(await readAll(merged, known, 1), RIGHT);
});
