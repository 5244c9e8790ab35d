// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ExecutionContext } from 'ava';
import type { Opening, Traced } from '../../src/main/daemon/tracer.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { anyDriver, byDriver, eachDriver, Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { stop } from '../tools/stop.js';
import { writeTar } from '../tools/tar-writer.js';
import { trace } from './tracing.js';

const mounting = mountingTest();
const both = eachDriver();
const shared = anyDriver();

const files = [
  { name: 'first', content: noise(300_000, 1) },
  { name: 'second', content: noise(3_000_000, 2) }, // more than is fetched with the TOC
  { name: 'em\u001bpty', content: '' },
  { name: 'last', content: noise(20_000, 3) },
];

async function prepare(t: ExecutionContext): Promise<{ machine: Machine; layer: string }> {
  const machine = new Machine({ CRFS_READAHEAD: '0', CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(tar, files);
  return { machine, layer: await makeLayer(tar) };
}

/** How many opens are told by these lines, or counted in them. */
function countIn(lines: readonly string[]): number {
  return lines.reduce((sum, line) => {
    const traced = JSON.parse(line) as Traced;
    return sum + ('missed' in traced ? traced.missed : 1);
  }, 0);
}

both('trace tells what is opened, whether it waited, and for what', async (t, driver) => {
  const { machine, layer } = await prepare(t);
  const all = [layer, machine.directory('below')]; // of which no stubs are made
  const other = await machine.mount(all);
  readFileSync(join(other.merged, 'second'));
  const mount = await machine.mount(all);
  const { told, lines, child, ended } = await trace(t, machine, [mount.merged, '--json']);
  t.regex(told, /^[^\n]*\n$/, 'nothing is missed');
  for (const name of ['first', 'second', 'em\u001bpty', 'first']) readFileSync(join(mount.merged, name));
  readFileSync(join(mount.merged, 'last'));
  await until('all is told', () => lines.some((line) => line.includes('/last')));
  child.kill('SIGINT');
  t.is(await ended, 0);
  const openings = lines.map((line) => JSON.parse(line) as Opening);
  const [first, ...again] = openings.filter(({ path }) => path === '/first');
  t.like(first, { layer: 1, for: 'inflate', fetchedMs: 0, error: null });
  t.true((first?.waitedMs ?? 0) > 0);
  t.true(Math.abs(Date.parse(first?.time ?? '') - Date.now()) < 60_000);
  // the kernel keeps what it has read, and asks for pieces of a file
  if (driver === 'overlay') t.true(again.every(({ waitedMs }) => waitedMs > 0));
  else t.like(again, { 0: { for: 'nothing' }, length: 1 });
  t.like(openings.filter(({ path }) => path === '/second')[0], { for: 'nothing', waitedMs: 0, error: null });
  t.deepEqual([...new Set(openings.map(({ path }) => path))], ['/first', '/second', '/last'], 'none without content');
});

both('trace tells how an open failed', async (t) => {
  const { machine, layer } = await prepare(t);
  const mount = await machine.mount([layer]);
  const { lines, child } = await trace(t, machine, [mount.merged, '--json']);
  truncateSync(layer, 1000);
  t.throws(() => readFileSync(join(mount.merged, 'second')), { code: 'EIO' });
  await until('it is told', () => lines.length > 0); // the kernel asks again before it gives up, where it reads by itself
  for (const line of lines) t.like(JSON.parse(line), { path: '/second', error: 'EIO' });
  child.kill('SIGINT');
});

mounting(
  'of a later mount, the kernel opens by itself what is in the cache, and trace and status say so',
  byDriver('overlay', async (t) => {
    const { machine, layer } = await prepare(t);
    const before = await machine.mount([layer]);
    await before.unmount();
    const stubs = join(machine.objects, '../stubs');
    await until('there are stubs', () => readdirSync(stubs).some((name) => !name.startsWith('new-')));
    const mount = await machine.mount([layer]);
    readFileSync(join(mount.merged, 'second'));
    const missing = /^tracing .*\n {2}The kernel opens here by itself [^]* mount again\.\n$/;
    const counted = /^ {2}not counted: what is in the cache already/m;
    t.regex((await trace(t, machine, [mount.merged])).told, missing);
    t.regex(await machine.crfs('status'), counted);
    await machine.stop();
    readFileSync(join(mount.merged, 'first'));
    t.regex((await trace(t, machine, [mount.merged])).told, missing, 'the next daemon knows it as well');
    t.regex(await machine.crfs('status'), counted);
  }),
);

shared('two traces of a mount tell the same, and one of another mount does not', async (t) => {
  const { machine, layer } = await prepare(t);
  const mount = await machine.mount([layer]);
  const other = await machine.mount([layer]);
  symlinkSync(mount.merged, join(machine.root, 'link'));
  const traces = [
    await trace(t, machine, [mount.merged, '--json']),
    await trace(t, machine, ['link', '--json']),
    await trace(t, machine, [other.merged, '--json']),
  ];
  readFileSync(join(mount.merged, 'first'));
  /** But for times since a trace began. */
  const told = (at: number): object[] => {
    return (traces[at]?.lines ?? []).map((line) => ({ ...(JSON.parse(line) as object), endedMs: 0 }));
  };
  await until('both tell the same', () => told(0).length > 0 && isDeepStrictEqual(told(0), told(1)));
  traces[0]?.child.kill('SIGINT');
  await traces[0]?.ended;
  readFileSync(join(mount.merged, 'second'));
  await until('the other goes on', () => traces[1]?.lines.some((line) => line.includes('/second')) === true);
  t.deepEqual(traces[2]?.lines, []);
  await mount.unmount();
  t.is(await traces[1]?.ended, 0, 'it ends with its mount');
});

mounting('more opens than a trace can follow are counted', async (t) => {
  const { machine, layer } = await prepare(t);
  const mount = await machine.mount([layer], { options: ['fast_ino=1', 'threaded=1'] });
  readFileSync(join(mount.merged, 'first'));
  const { lines, child } = await trace(t, machine, [mount.merged, '--json']);
  const daemon = (await machine.status())?.pid ?? 0;
  await stop(daemon);
  for (let n = 0; n < 5000; n++) readFileSync(join(mount.merged, 'first'));
  process.kill(daemon, 'SIGCONT');
  await until('each is told or counted', () => countIn(lines) === 5000);
  t.true(lines.length < 5000);
  child.kill('SIGINT');
});

mounting('a trace that nobody reads keeps no daemon from ending', async (t) => {
  const { machine, layer } = await prepare(t);
  const mount = await machine.mount([layer]);
  readFileSync(join(mount.merged, 'first'));
  const { child } = await trace(t, machine, [mount.merged, '--json']);
  await stop(Number(child.pid));
  const { lines } = await trace(t, machine, [mount.merged, '--json']);
  for (let n = 1; n <= 5000; n++) {
    readFileSync(join(mount.merged, 'first'));
    if (n % 500 === 0) await until('the daemon tells of them', () => countIn(lines) === n);
  } // by now it has told more than fits into the socket of whoever does not read
  await machine.stop();
  t.is(await machine.status(), null);
});

mounting('a mount that another directory was changed to is found by its path, also by the next daemon', async (t) => {
  const { machine, layer } = await prepare(t);
  const [merged, lower] = [machine.directory('here/merged'), machine.directory('lower')];
  mkdirSync(join(machine.root, 'here/sub'));
  const text = `//crfs/${Buffer.from(layer).toString('base64url')}/${lower}`;
  await run(
    'fuse-overlayfs',
    ['-o', `plugins=${join(import.meta.dirname, '../../../crfs-plugin.so')},lowerdir=${text}`, '../merged'],
    { env: machine.env, cwd: join(machine.root, 'here/sub') },
  );
  t.teardown(() => run('umount', [merged]));
  t.is((await machine.status())?.mounts[0]?.mountpoint, merged);
  await machine.stop();
  readFileSync(join(merged, 'first'));
  t.is((await machine.status())?.mounts[0]?.mountpoint, merged);
  const { lines, child } = await trace(t, machine, ['here/merged', '--json']);
  readFileSync(join(merged, 'first'));
  await until('it is told', () => lines.length === 1);
  child.kill('SIGINT');
});

mounting('what is no mount of a layer cannot be traced', async (t) => {
  const { machine, layer } = await prepare(t);
  const message = /is no mount of a layer: `crfs status` lists those that there are/;
  await t.throwsAsync(machine.crfs('trace', machine.root), { message });
  await machine.mount([layer]);
  await t.throwsAsync(machine.crfs('trace', machine.root), { message });
  await t.throwsAsync(machine.crfs('trace', join(machine.root, 'nothing')), {
    message: /nothing: no such file or directory/,
  });
  t.true(statSync(machine.root).isDirectory());
});
