// SPDX-License-Identifier: GPL-3.0-or-later

/** What `-o` and --upper make of a mount, by either driver. */

import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { DRIVERS, type Driver } from '../../src/main/mount/driver.js';
import { type Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { invoke, layerOf, makeMachine, type Outcome, TIME } from './setting.js';

const test = mountingTest();

interface Place {
  readonly machine: Machine;
  readonly merged: string;
  /** Mounts with these arguments, once the mount of before has gone. */
  readonly mount: (...args: string[]) => Promise<Outcome>;
  /** The flags of the mount, as the system has them. */
  readonly flags: () => string[];
}

async function place(t: ExecutionContext, driver: Driver | 'auto'): Promise<Place> {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, [
    { name: 'id', mode: 0o4755, mtime: TIME, content: readFileSync('/usr/bin/id') },
    { name: 'null', type: '3', mode: 0o666, devmajor: 1, devminor: 3, mtime: TIME },
  ]);
  const merged = machine.directory('merged');
  for (const name of ['upper', 'work']) machine.directory(name);
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  return {
    machine,
    merged,
    async mount(...args) {
      await run('umount', ['-q', merged]).catch(() => undefined);
      return await invoke(machine, ['mount', layer, 'merged', '--driver', driver, ...args]);
    },
    flags: () => {
      const line = readFileSync('/proc/mounts', 'utf8')
        .split('\n')
        .findLast((one) => one.includes(` ${merged} `));
      return line?.split(' ')[3]?.split(',') ?? [];
    },
  };
}

const UPPER = ['--upper', 'upper', '--work', 'work'];

for (const driver of DRIVERS) {
  test(`what can be written to is what is told, and what the system has, by ${driver}`, async (t) => {
    const { merged, mount, flags } = await place(t, driver);
    for (const [args, isReadOnly] of [
      [[], true],
      [['-o', 'rw'], true],
      [UPPER, false],
      [[...UPPER, '-o', 'ro'], true],
    ] as const) {
      const { stdout } = await mount(...args);
      t.regex(stdout, isReadOnly ? /, read-only, by / : /, read-write, by /, args.join(' '));
      t.is(flags().includes('ro'), isReadOnly, args.join(' '));
      const write = (): void => writeFileSync(join(merged, 'new'), '');
      if (isReadOnly) t.throws(write, { code: 'EROFS' });
      else t.notThrows(write);
      const { stdout: json } = await mount(...args, '--json');
      t.like(JSON.parse(json), { readOnly: isReadOnly });
    }
  });

  test(`nosuid and nodev turn setuid programs and devices off, by ${driver}`, async (t) => {
    const { machine, merged, mount, flags } = await place(t, driver);
    await run('chmod', ['755', machine.root]);
    const openDevice = (): void => closeSync(openSync(join(merged, 'null'), 'r'));
    const user = async (): Promise<string> => {
      const as = ['--reuid=65534', '--regid=65534', '--clear-groups', join(merged, 'id'), '-u'];
      return String(await run('setpriv', as)).trim();
    };
    t.is((await mount('-o', 'dev,suid')).code, 0);
    t.notThrows(openDevice);
    t.is(await user(), '0');
    t.is((await mount('-o', 'nosuid,nodev')).code, 0);
    t.true(['nosuid', 'nodev'].every((flag) => flags().includes(flag)));
    t.throws(openDevice, { code: 'EACCES' });
    t.is(await user(), '65534');
  });
}

test('a label of SELinux is refused where there is none', async (t) => {
  if (/\tselinuxfs$/m.test(readFileSync('/proc/filesystems', 'utf8'))) {
    t.pass('there is SELinux here');
    return;
  }
  for (const driver of ['auto', ...DRIVERS] as const) {
    const { mount, flags } = await place(t, driver);
    const label = 'context="system_u:object_r:container_file_t:s0:c1,c2"';
    const told = `-o ${label.replaceAll('"', '')}: this kernel has no SELinux, which such labels are of`;
    t.deepEqual(await mount('-o', `nodev,${label}`), { code: 1, stdout: '', stderr: `crfs: ${told}\n` });
    t.deepEqual(flags(), []);
  }
});
