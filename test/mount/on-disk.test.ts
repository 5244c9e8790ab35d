// SPDX-License-Identifier: GPL-3.0-or-later

/** Images on disk, mounted where they lie. */

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { invoke, makeMachine } from '../commands/setting.js';
import { noise } from '../tools/content.js';
import { pushTars } from '../tools/image.js';
import { anyDriver, eachDriver, type Machine, until, whyNoMounts } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const test = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const CONTENT = noise(300_000);

/** An image of two layers, copied to these places by skopeo; what it holds is CONTENT behind a mark. */
async function copied(t: ExecutionContext, machine: Machine, mark: string, ...places: string[]): Promise<void> {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tars = ['base', 'top'].map((name) => join(machine.directory('tars'), `${name}.tar`));
  for (const tar of tars) {
    writeTar(tar, [
      { name: tar.endsWith('/top.tar') ? 'top' : 'base', content: Buffer.concat([Buffer.from(mark), CONTENT]) },
    ]);
  }
  await pushTars(tars, `${registry.host}/img:1`);
  for (const place of places) {
    const args = [
      '--insecure-policy',
      'copy',
      '-q',
      '--src-tls-verify=false',
      `docker://${registry.host}/img:1`,
      place,
    ];
    await run('skopeo', args, { cwd: machine.root });
  }
}

test('an image in an OCI layout, or in a directory of skopeo, is mounted where it lies', async (t, driver) => {
  const machine = makeMachine(t);
  await copied(t, machine, 'one', 'oci:layout:1', 'dir:plain');
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  for (const [written, shown] of [
    ['oci:layout:1', `oci:${machine.root}/layout:1`],
    ['dir:plain', `dir:${machine.root}/plain`],
  ] as const) {
    const { stdout, code } = await invoke(machine, ['mount', written, 'merged', '--driver', driver]);
    t.is(code, 0);
    t.regex(stdout, new RegExp(`^${merged}: ${shown}, 2 layers, .*, read-only, by ${driver}\n$`));
    t.deepEqual(readdirSync(merged).sort(), ['base', 'top']);
    t.deepEqual(readFileSync(join(merged, 'base')), Buffer.concat([Buffer.from('one'), CONTENT]));
    t.deepEqual(
      (await machine.status())?.layers.map(({ fetched }) => fetched),
      [null, null],
      'nothing is fetched',
    );
    t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
    await until('its host has ended, too', async () => (await machine.status())?.layers.length === 0);
  }
});

shared('a mounted layout goes on with what was mounted, whatever its tag becomes', async (t, driver) => {
  const machine = makeMachine(t);
  await copied(t, machine, 'one', 'oci:layout:1');
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  t.is((await invoke(machine, ['mount', 'oci:layout:1', 'merged', '--driver', driver])).code, 0);
  await copied(t, machine, 'two', 'oci:layout:1');
  await machine.stop();
  t.deepEqual(readFileSync(join(merged, 'base')), Buffer.concat([Buffer.from('one'), CONTENT]));
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
  t.is((await invoke(machine, ['mount', 'oci:layout:1', 'merged', '--driver', driver])).code, 0);
  t.deepEqual(readFileSync(join(merged, 'base')), Buffer.concat([Buffer.from('two'), CONTENT]));
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
});

shared(
  'a layout that lacks a layer, and one that is not there, are refused with what is missing',
  async (t, driver) => {
    const machine = makeMachine(t);
    await copied(t, machine, 'one', 'oci:layout:1', 'dir:plain');
    machine.directory('merged');
    const told = async (written: string): Promise<string> => {
      const { code, stderr } = await invoke(machine, ['mount', written, 'merged', '--driver', driver]);
      return `${code} ${stderr}`;
    };
    const [largest = ''] = readdirSync(join(machine.root, 'plain')).sort((a, b) => size(machine, b) - size(machine, a));
    rmSync(join(machine.root, 'plain', largest));
    t.regex(await told('dir:plain'), /^1 crfs: .*layer sha256:\S+: cannot open \S+: no such file or directory\n$/);
    t.regex(await told('oci:layout:other'), /^1 crfs: .*holds no image other; it holds: 1\n$/);
    t.regex(await told('oci:nowhere'), /^1 crfs: .*nowhere.*\n$/);
  },
);

function size(machine: Machine, name: string): number {
  return statSync(join(machine.root, 'plain', name)).size;
}
