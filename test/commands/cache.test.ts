// SPDX-License-Identifier: GPL-3.0-or-later

import { mountingTest } from '../tools/machine.js';
import { invoke, layerOf, makeMachine, SMALL } from './setting.js';

const test = mountingTest();

test('crfs cache finds nothing where there is no cache yet', async (t) => {
  const machine = makeMachine(t);
  const run = async (command: string): Promise<string> => {
    const { code, stdout, stderr } = await invoke(machine, ['cache', command]);
    return `${code} ${stdout}${stderr}`;
  };
  t.regex(await run('du'), /^0 KIND .*\nobjects +0 +0 B\n/);
  t.is(await run('verify'), '0 Checked 0 files; 0 were bad.\n');
  for (const command of ['gc', 'clear']) t.is(await run(command), '0 Removed 0 files of 0 B; 0 B are left.\n');
});

test('crfs cache clear without a daemon leaves nothing, however fresh', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  machine.directory('merged');
  for (const args of [['mount', layer, 'merged'], ['umount', 'merged'], ['stop']])
    t.is((await invoke(machine, args)).code, 0);
  t.regex((await invoke(machine, ['cache', 'clear'])).stdout, /^Removed [2-9] files of .*; 0 B are left\.\n$/);
});
