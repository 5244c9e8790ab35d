// SPDX-License-Identifier: GPL-3.0-or-later

/** A cache directory that is not there yet, or that cannot be made: who only looks finds nothing, and makes nothing. */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Status } from '../../src/main/daemon/status.js';
import type { Finding } from '../../src/main/doctor/check.js';
import { invoke, layerOf, makeMachine, SMALL } from './setting.js';

/** Where nobody can make a directory, root neither. */
const NOWHERE = '/proc/nowhere';

const LOOKING: readonly (readonly [command: string, code: number, said: string])[] = [
  ['status', 0, 'No daemon runs: a mount starts one when it needs it.\n'],
  ['stop', 0, 'No daemon runs.\n'],
  ['cache ls', 0, 'The cache holds no image.\n'],
  ['cache verify', 0, 'Checked 0 files; 0 were bad.\n'],
  [
    'cache pin localhost/img:1',
    1,
    'crfs: the cache holds nothing of docker://localhost/img:1: `crfs cache ls` lists what it holds\n',
  ],
  [
    'cache rm localhost/img:1',
    1,
    'crfs: the cache holds nothing of docker://localhost/img:1: `crfs cache ls` lists what it holds\n',
  ],
  ['trace dir', 1, 'crfs: dir is no mount of a layer: `crfs status` lists those that there are\n'],
  ['umount dir', 1, 'crfs: "DIR" is no mount of layers: nothing is mounted there\n'],
];

/** What `crfs status` says, but for the mounts that anybody's killed host has left on this machine. */
function withoutDead(said: string): string {
  return said.split('\nDead, ')[0] ?? '';
}

async function look(t: ExecutionContext, cache: string | undefined): Promise<void> {
  const machine = makeMachine(t);
  if (cache !== undefined) machine.env['XDG_CACHE_HOME'] = cache;
  const directory = machine.directory('dir');
  for (const [line, wanted, said] of LOOKING) {
    const { code, stdout, stderr } = await invoke(machine, line.split(' '));
    t.deepEqual([code, withoutDead(stdout) + stderr], [wanted, said.replace('DIR', directory)], line);
  }
  const status = JSON.parse((await invoke(machine, ['status', '--json'])).stdout) as Partial<Status> | null;
  t.deepEqual([status?.pid ?? null, status?.mounts ?? []], [null, []]);
  t.regex((await invoke(machine, ['cache', 'du'])).stdout, /^0 B of /m);
  const { code, stdout } = await invoke(machine, ['inspect', await layerOf(machine, SMALL)]);
  t.deepEqual([code, stdout.includes('estargz')], [0, true]);
  t.false(existsSync(join(machine.env['XDG_CACHE_HOME'] ?? '', 'crfs-plugin')));
}

test('who only looks into a cache does not make it', look, undefined);

test('who only looks into a cache needs none that can be made', look, NOWHERE);

test('a cache that cannot be made is told in one line, with what to do', async (t) => {
  const machine = makeMachine(t, { XDG_CACHE_HOME: NOWHERE });
  const why = `cannot make ${NOWHERE}/crfs-plugin: no such file or directory; set XDG_CACHE_HOME to a directory of yours`;
  const failing = { code: 1, stdout: '', stderr: `crfs: ${why}\n` };
  t.deepEqual(await invoke(machine, ['cache', 'clear']), failing);
  t.deepEqual(await invoke(machine, ['daemon']), failing);
});

test('doctor tells of a cache that cannot be, and looks at all else', async (t) => {
  const machine = makeMachine(t);
  const file = join(machine.root, 'file');
  writeFileSync(file, '');
  machine.env['XDG_CACHE_HOME'] = file;
  const { code, stdout, stderr } = await invoke(machine, ['doctor', '--json']);
  const found = JSON.parse(stdout) as Finding[];
  t.deepEqual([code, stderr], [1, '']);
  t.like(
    found.find(({ name }) => name === 'cache'),
    { state: 'bad', says: `${file}/crfs-plugin: not a directory` },
  );
  t.true(found.some(({ name }) => name === 'overlay'));
});
