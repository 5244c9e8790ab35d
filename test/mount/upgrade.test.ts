// SPDX-License-Identifier: GPL-3.0-or-later

/** Daemons of other versions: who takes over from whom, while mounts live. */

import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { addon } from '../../src/native/addon.js';
import { daemonOf, daemonsOf, dropObjects, faulty, gone, type Known, knownLayer, readAll } from '../faults/world.js';
import { anyDriver, eachDriver, Machine, top, until } from '../tools/machine.js';
import { run } from '../tools/run.js';

const mounting = eachDriver();
const shared = anyDriver();

const { controlVersion: current } = addon.layout.constants;

interface Facts {
  readonly version: string;
  /** Of the control protocol, where it is another one. */
  readonly protocol?: number;
}

/** Installs what stands in this checkout once more, as another version. Returns its command. */
function install(machine: Machine, { version, protocol }: Facts): string {
  const root = machine.directory(`version-${version}-${protocol ?? 'same'}`);
  for (const part of ['bin', 'dist/src', 'build/Release/crfs_addon.node']) {
    cpSync(join(top, part), join(root, part), { recursive: true });
  }
  symlinkSync(join(top, 'node_modules'), join(root, 'node_modules'));
  const manifest = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as object;
  writeFileSync(join(root, 'package.json'), JSON.stringify({ ...manifest, version }));
  if (protocol !== undefined) speak(join(root, 'dist/src/native/addon.js'), protocol);
  return join(root, 'bin/crfs');
}

/** Has the compiled module of the addon tell another version of the protocol. */
function speak(module: string, version: number): void {
  const code = readFileSync(module, 'utf8').replace('export const addon =', 'const real =');
  const constants = `{ ...real.layout.constants, controlVersion: ${version} }`;
  writeFileSync(
    module,
    `${code}\nexport const addon = { ...real, layout: { ...real.layout, constants: ${constants} } };\n`,
  );
}

/** A machine with a daemon of some version, which a mount has started. */
async function prepare(t: ExecutionContext, old: Facts) {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  machine.env['CRFS_PLUGIN_DAEMON'] = install(machine, old);
  const known = await knownLayer(machine, { small: 60, large: 3 });
  return { machine, known };
}

async function isRight(t: ExecutionContext, merged: string, known: Known): Promise<void> {
  t.deepEqual(await readAll(merged, known, 4), { failed: [], wrong: [] });
}

mounting('a newer daemon takes over from an older one under 16 readers, and none of them notices', async (t) => {
  const { machine, known } = await prepare(t, { version: '0.0.9' });
  const mounts = [await machine.mount([known.layer]), await machine.mount([known.layer])];
  const before = await machine.status();
  t.is(before?.version, '0.0.9');
  const readers = Promise.all(mounts.map(({ merged }) => readAll(merged, known)));
  await until('they read', async () => ((await machine.status())?.counters.requests ?? 0) > 0);
  await machine.crfs('daemon');
  t.deepEqual(await readers, [
    { failed: [], wrong: [] },
    { failed: [], wrong: [] },
  ]);
  await gone(before?.pid ?? 0);
  const after = await machine.status();
  t.not(after?.version, '0.0.9');
  t.not(after?.pid, before?.pid);
  const ready = machine.log.split('\n').filter((line) => line.includes('the daemon is ready'));
  t.is(ready.length, 2, 'no mount has started a daemon of its own meanwhile');
});

shared(
  'while the disk is slow the older daemon serves old and new mounts, and the newer one says that it waits',
  async (t) => {
    const { machine, known } = await prepare(t, { version: '0.0.9' });
    const slow = join(machine.root, 'slow');
    Object.assign(machine.env, faulty('slow sync', slow));
    const mount = await machine.mount([known.layer]);
    await isRight(t, mount.merged, known);
    const older = await daemonOf(machine);
    writeFileSync(slow, '');
    const taking = machine.crfs('daemon');
    await until('the newer daemon says what it waits for', () =>
      machine.log.includes('waits for the older daemon to end'),
    );
    t.true(existsSync(`${slow}.held`));
    const those = daemonsOf(machine);
    dropObjects(machine);
    await isRight(t, mount.merged, known);
    const another = await machine.mount([known.layer]);
    await isRight(t, another.merged, known);
    t.deepEqual(daemonsOf(machine), those, 'no mount has started one');
    t.is(await daemonOf(machine), older);
    rmSync(slow);
    await taking;
    await gone(older);
    dropObjects(machine);
    for (const { merged } of [mount, another]) await isRight(t, merged, known);
    t.not((await machine.status())?.version, '0.0.9');
    t.is(machine.log.split('"the daemon is ready"').length, 1 + 2);
  },
);

shared('a daemon does not take over from one of its own version, nor from a newer one', async (t) => {
  const { machine, known } = await prepare(t, { version: '9.10.0' });
  const mount = await machine.mount([known.layer]);
  const before = await machine.status();
  const newer = /^\S+crfs ended with 1: crfs: a newer daemon of yours is running already: version 9\.10\.0, not 0\./;
  await t.throwsAsync(machine.crfs('daemon'), { message: newer });
  await t.throwsAsync(machine.crfs('daemon', '--foreground'), { message: newer });
  await t.throwsAsync(run(machine.env['CRFS_PLUGIN_DAEMON'] ?? '', ['daemon'], { env: machine.env }), {
    message:
      /ended with 1: crfs: a daemon of yours is running already, of version \S+, as this one: see `crfs status`$/,
  });
  t.is((await machine.status())?.pid, before?.pid);
  await isRight(t, mount.merged, known);
});

shared('a newer daemon of another protocol leaves mounts to the older one, and says so in one line', async (t) => {
  const { machine, known } = await prepare(t, { version: '0.0.9' });
  const mount = await machine.mount([known.layer]);
  const next = install(machine, { version: '9.0.0', protocol: 99 });
  const start = (): Promise<Buffer> => run(next, ['daemon'], { env: machine.env });
  const line = `crfs: the daemon of version 0.0.9 speaks version ${current} of the control protocol with its mounts, this one version 99: unmount ${mount.merged} first`;
  const error = await t.throwsAsync(start());
  t.is(error?.message, `${next} ended with 1: ${line}`);
  await isRight(t, mount.merged, known);
  await mount.unmount();
  await until('the mount is let go', async () => (await machine.status())?.mounts.length === 0);
  await start();
  t.is((await machine.status())?.version, '9.0.0');
});

shared('a mount of another protocol than the daemon is refused in one line', async (t) => {
  const { machine, known } = await prepare(t, { version: '9.0.0', protocol: 99 });
  const error = await t.throwsAsync(machine.mount([known.layer]));
  t.deepEqual(error?.message.match(/\bcrfs: .*$/gm), [
    `crfs: ${known.layer}: the daemon speaks version 99 of the control protocol, the mount ${current}: run \`crfs stop\` once its mounts have gone`,
  ]);
});
