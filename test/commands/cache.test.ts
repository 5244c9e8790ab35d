// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { invoke, layerOf, makeMachine, SMALL } from './setting.js';

const test = mountingTest();

test('crfs cache finds nothing where there is no cache yet', async (t) => {
  const machine = makeMachine(t);
  const told = async (command: string): Promise<string> => {
    const { code, stdout, stderr } = await invoke(machine, ['cache', command]);
    return `${code} ${stdout}${stderr}`;
  };
  t.regex(await told('du'), /^0 KIND .*\nobjects +0 +0 B\n/);
  t.is(await told('verify'), '0 Checked 0 files; 0 were bad.\n');
  for (const command of ['gc', 'clear']) t.is(await told(command), '0 Removed 0 files of 0 B; 0 B are left.\n');
});

test('of what mounts may need only contents are removed before a daemon knows of them', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const merged = machine.directory('merged');
  const told = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await invoke(machine, args);
    return `${stdout}${stderr}`;
  };
  t.regex(await told('mount', layer, merged), /: .*, read-only, by overlay\n$/);
  t.is(await told('stop'), 'The daemon has ended; 1 mount stays, and starts another one when read.\n');
  const waits = new RegExp(
    `\\n\\nMounted, and without a daemon since theirs ended:\\nMOUNTPOINT +PID\\n${merged} +\\d+\\n$`,
  );
  t.regex(await told('status'), waits);
  t.regex(await told('trace', merged), /: .*merged is without a daemon since its own ended: /);
  t.regex(await told('cache', 'gc'), /^Removed 0 files .* of them for mounts or pinned[,.]/);
  t.regex(await told('cache', 'clear'), /^Removed \d+ files .* of them for mounts or pinned[,.]/);
  t.is(readdirSync(join(machine.objects, '../index')).length, 1);
  t.regex(await told('status'), waits);
  readFileSync(join(merged, 'bin/tool'));
  t.regex(await told('status'), /^daemon .*\n  LAYER/s);
  t.notRegex(await told('status'), waits);
  t.regex(await told('cache', 'clear'), /^Removed /);
  t.is(await told('umount', merged), `${merged}: unmounted\n`);
  t.is(await told('stop'), 'The daemon has ended.\n');
  t.is(await told('stop'), 'No daemon runs.\n');
});

test('crfs cache clear without a daemon leaves nothing, however fresh', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  machine.directory('merged');
  for (const args of [['mount', layer, 'merged'], ['umount', 'merged'], ['stop']])
    t.is((await invoke(machine, args)).code, 0);
  t.regex((await invoke(machine, ['cache', 'clear'])).stdout, /^Removed [2-9] files of .*; 0 B are left\.\n$/);
});

test('of a damaged object it is told which mounts may go on with it: those whose kernel opens it by itself', async (t) => {
  const machine = makeMachine(t, { CRFS_READAHEAD: '0' }); // which else may fill anew what was damaged
  const layer = await layerOf(machine, SMALL);
  const merged = machine.directory('merged');
  const mount = async (): Promise<unknown> => await machine.crfs('mount', '--driver', 'overlay', layer, merged);
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  const file = join(merged, 'usr/share/text');
  const damage = async (): Promise<void> => {
    t.is(readFileSync(file, 'utf8'), 'shared text\n');
    await run('find', [machine.objects, '-size', '12c', '-exec', 'truncate', '-s', '3', '{}', ';']);
  };
  await mount();
  await damage();
  const first = await invoke(machine, ['cache', 'verify']);
  t.deepEqual([first.code, first.stdout.split('\n').length], [1, 3], first.stdout); // it looks at each open
  await machine.crfs('umount', merged);
  const stubs = join(machine.objects, '../stubs');
  await until('there are stubs', () => readdirSync(stubs).some((name) => !/^(new|gone)-/.test(name)));
  await mount();
  t.is(readFileSync(file, 'utf8'), 'shared text\n'); // filled by this mount, and then opened by the kernel
  await machine.crfs('umount', merged);
  await mount();
  await damage();
  const { code, stdout } = await invoke(machine, ['cache', 'verify']);
  const goesOn = `These mounts may go on with what they have read of it, until they are unmounted, and mounted again: ${merged}`;
  t.is(code, 1);
  t.is(stdout.split('\n')[1], goesOn);
  const json = (await invoke(machine, ['cache', 'verify', '--json'])).stdout;
  t.deepEqual((JSON.parse(json) as { mayGoOn: string[] }).mayGoOn, [], 'nothing is bad any more');
  await machine.crfs('umount', merged);
  await mount();
  t.is(readFileSync(file, 'utf8'), 'shared text\n');
});
