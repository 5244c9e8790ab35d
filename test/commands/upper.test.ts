// SPDX-License-Identifier: GPL-3.0-or-later

/** Directories for changes that a mount refuses, as the kernel does of its own overlay. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { DRIVERS } from '../../src/main/mount/driver.js';
import { hasMount } from '../../src/main/mount/entrance.js';
import { argumentsOf, processes } from '../../src/main/mount/processes.js';
import { type Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { invoke, layerOf, makeMachine, SMALL } from './setting.js';

const test = mountingTest();

interface Place {
  readonly machine: Machine;
  readonly at: (name: string) => string;
  /** Mounts the layer with these arguments; resolves to the exit code and what was said. */
  readonly mount: (...args: string[]) => Promise<string>;
}

async function place(t: ExecutionContext): Promise<Place> {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  for (const name of ['merged', 'other', 'upper', 'work']) {
    const path = machine.directory(name);
    t.teardown(() => run('umount', ['-q', path]).catch(() => undefined));
  }
  return {
    machine,
    at: (name) => join(machine.root, name),
    async mount(...args) {
      const { code, stderr } = await invoke(machine, ['mount', layer, ...args]);
      return `${code} ${stderr}`;
    },
  };
}

function keptIn(upper: string, work: string): string[] {
  return ['merged', '--upper', upper, '--work', work];
}

test('upper and work are two directories, neither inside the other', async (t) => {
  const { machine, at, mount } = await place(t);
  machine.directory('upper/work');
  const [upper, work] = [JSON.stringify(at('upper')), JSON.stringify(at('upper/work'))];
  t.is(
    await mount(...keptIn('upper', './upper/')),
    `2 crfs: --upper ${upper} and --work ${upper} must be two directories\n`,
  );
  const inside = 'neither may be inside the other\n';
  t.is(await mount(...keptIn('upper', 'upper/work')), `2 crfs: --upper ${upper} and --work ${work}: ${inside}`);
  t.is(await mount(...keptIn('upper/work', 'upper')), `2 crfs: --upper ${work} and --work ${upper}: ${inside}`);
  t.deepEqual(readdirSync(at('merged')), []);
});

for (const [what, before] of [
  ['on another file system', ['-t', 'tmpfs', 'tmpfs']],
  ['behind another mount of the same file system', ['--bind', 'upper']],
] as const) {
  test(`a work directory ${what} is refused`, async (t) => {
    const { machine, at, mount } = await place(t);
    await run('mount', [...before, 'work'], { cwd: machine.root });
    t.regex(await mount('merged', '--upper', 'upper', '--work', 'work'), /^1 crfs: .* must be on one file system/);
    await run('umount', [at('work')]);
    t.is(await mount('merged', '--upper', 'upper', '--work', 'work'), '0 ');
  });
}

test('a read-only file system cannot keep changes', async (t) => {
  const { machine, at, mount } = await place(t);
  const tmpfs = machine.directory('tmpfs');
  await run('mount', ['-t', 'tmpfs', 'tmpfs', tmpfs]);
  t.teardown(() => run('umount', [tmpfs]));
  for (const name of ['u', 'w']) mkdirSync(join(tmpfs, name));
  await run('mount', ['-o', 'remount,ro', tmpfs]);
  const both = `--upper "${at('tmpfs/u')}" and --work "${at('tmpfs/w')}"`;
  t.is(
    await mount('merged', '--upper', 'tmpfs/u', '--work', 'tmpfs/w'),
    `1 crfs: ${both} cannot keep changes: read-only file system\n`,
  );
});

test('a work directory is empty, or that of an earlier mount', async (t) => {
  const { machine, at, mount } = await place(t);
  writeFileSync(at('work/mine'), '');
  const how = ['merged', '--upper', 'upper', '--work', 'work'];
  t.regex(
    await mount(...how),
    /^1 crfs: --work .*: it holds "mine", and must be empty, or the work directory of an earlier/,
  );
  await run('rm', [at('work/mine')]);
  for (let round = 0; round < 2; round++) {
    t.is(await mount(...how), '0 ');
    t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
  }
});

test('the work directory of a volatile mount is refused, and what to do is told', async (t) => {
  const { machine, at, mount } = await place(t);
  const mark = machine.directory('work/work/incompat/volatile');
  const told = await mount(...keptIn('upper', 'work'));
  t.true(told.startsWith(`1 crfs: --work "${at('work')}" was of a mount with -o volatile`), told);
  t.true(told.endsWith(`remove "${mark}"\n`), told);
});

test('a mount may hide the directories that it is made of', async (t) => {
  const { machine, at, mount } = await place(t);
  writeFileSync(join(machine.directory('merged/below'), 'plain'), 'below\n');
  const [upper, work] = [machine.directory('merged/upper'), machine.directory('merged/work')];
  const byKernel = ['--driver', 'overlay'];
  t.is(await mount(...keptIn(upper, work), '--lower', 'merged/below', ...byKernel), '0 ');
  t.is(readFileSync(at('merged/plain'), 'utf8'), 'below\n');
  writeFileSync(at('merged/new'), '');
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
  t.deepEqual(readdirSync(upper), ['new']);
  t.is(await mount('merged', '--upper', 'merged', '--work', 'work', ...byKernel), '0 ');
});

for (const driver of DRIVERS) {
  test(`directories that another mount writes to are refused, until it is unmounted: by ${driver}`, async (t) => {
    const { machine, at, mount } = await place(t);
    for (const name of ['upper2', 'work2']) machine.directory(name);
    t.is(await mount(...keptIn('upper', 'work'), '--driver', driver), '0 ');
    const inUse = (name: string): RegExp =>
      new RegExp(`^1 crfs: "${at(name)}" is in use by the mount at "${at('merged')}" \\(pid \\d+\\)\\n$`);
    t.regex(await mount('other', '--upper', 'upper', '--work', 'work2'), inUse('upper'));
    t.regex(await mount('other', '--upper', 'upper2', '--work', 'work'), inUse('work'));
    await invoke(machine, ['umount', 'merged']);
    t.is(await mount('other', '--upper', 'upper', '--work', 'work'), '0 ');
  });
}

test('directories that a mount writes to are refused after its server was killed, however they are named', async (t) => {
  const { machine, at, mount } = await place(t);
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 13)) {
    t.pass('the list of mounts has no such names');
    return;
  }
  for (const [what, name] of Object.entries({ long: `${'x'.repeat(200)}/${'y'.repeat(200)}`, escape: 'a\\b, c:d' })) {
    const [upper, work] = [machine.directory(`${name}/upper`), machine.directory(`${name}/work`)];
    t.is(await mount(...keptIn(upper, work), '--driver', 'overlay'), '0 ', what);
    const server = processes().find(({ pid }) => argumentsOf(pid).at(-1) === at('merged') && hasMount(pid));
    process.kill(server?.pid ?? Number.NaN, 'SIGKILL');
    await until('it has ended', () => !processes().some(({ pid }) => pid === server?.pid));
    const used = `1 crfs: ${JSON.stringify(upper)} is in use by the mount at "${at('merged')}"\n`;
    t.is(await mount('other', '--upper', upper, '--work', work), used, what);
    await invoke(machine, ['umount', 'merged']);
    t.is(await mount('other', '--upper', upper, '--work', work), '0 ', what);
    await invoke(machine, ['umount', 'other']);
  }
});

test('a directory that an overlay of somebody else writes to is refused', async (t) => {
  const { machine, at, mount } = await place(t);
  const options = `lowerdir=${machine.directory('lower')},upperdir=${at('upper')},workdir=${machine.directory('other-work')}`;
  await run('mount', ['-t', 'overlay', 'overlay', '-o', options, at('other')]);
  const used = `1 crfs: "${at('upper')}" is in use by the mount at "${at('other')}"\n`;
  t.is(await mount(...keptIn('upper', 'work')), used);
  await run('umount', [at('other')]);
  t.is(await mount(...keptIn('upper', 'work')), '0 ');
});

test('a mount that would show itself, and wait for itself, is refused', async (t) => {
  const { machine, mount } = await place(t);
  machine.directory('upper/merged');
  const inside = /^2 crfs: the mountpoint .*: the mount would be inside of itself/;
  t.regex(await mount('upper/merged', '--upper', 'upper', '--work', 'work'), inside);
  t.regex(await mount('merged', '--lower', '.'), inside);
});
