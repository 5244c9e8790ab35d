// SPDX-License-Identifier: GPL-3.0-or-later

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, symlinkSync, truncateSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { ExecutionContext } from 'ava';
import type { Opening, Traced } from '../../src/main/daemon/tracer.js';
import { noise } from '../tools/content.js';
import { startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { makeLayer } from '../tools/layers.js';
import { crfs, Machine, mountingTest, stop, until } from '../tools/machine.js';
import { startOrigin } from '../tools/origin.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest();

const files = [
  { name: 'first', content: noise(300_000, 1) },
  { name: 'second', content: noise(3_000_000, 2) }, // more than is fetched with the TOC
  { name: 'em\u001bpty', content: '' },
];

async function prepare(t: ExecutionContext): Promise<{ machine: Machine; layer: string }> {
  const machine = new Machine({ CRFS_READAHEAD: '0', CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(tar, files);
  return { machine, layer: await makeLayer(tar) };
}

interface Trace {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly lines: string[];
  /** The exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

/** Resolves when the trace has begun. */
async function trace(t: ExecutionContext, machine: Machine, args: readonly string[]): Promise<Trace> {
  const child = spawn(crfs, ['trace', ...args], {
    env: machine.env,
    cwd: machine.root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const [told] = (await once(child.stderr, 'data')) as [Buffer];
  t.regex(String(told), /^tracing .*: \^C ends it\n$/);
  return { child, lines, ended: once(child, 'close').then(([code]) => code as number | null) };
}

/** How many opens are told by these lines, or counted in them. */
function countIn(lines: readonly string[]): number {
  return lines.reduce((sum, line) => {
    const traced = JSON.parse(line) as Traced;
    return sum + ('missed' in traced ? traced.missed : 1);
  }, 0);
}

mounting('trace tells what is opened, whether it waited, and for what', async (t) => {
  const { machine, layer } = await prepare(t);
  const mount = await machine.mount([layer]);
  readFileSync(join(mount.merged, 'second'));
  const { lines, child, ended } = await trace(t, machine, [mount.merged, '--json']);
  for (const { name } of files) readFileSync(join(mount.merged, name));
  readFileSync(join(mount.merged, 'first'));
  await until('all is told', () => lines.length >= 3);
  child.kill('SIGINT');
  t.is(await ended, 0);
  const [first, second, again] = lines.map((line) => JSON.parse(line) as Opening);
  t.like(first, { path: '/first', layer: 1, for: 'inflate', fetchedMs: 0, error: null });
  t.true((first?.waitedMs ?? 0) > 0);
  t.like(second, { path: '/second', for: 'nothing', waitedMs: 0, error: null });
  t.like(again, { path: '/first', for: 'nothing' });
  t.is(lines.length, 3, 'files without content are not told');
  t.true(Math.abs(Date.parse(first?.time ?? '') - Date.now()) < 60_000);
});

mounting('trace tells what was fetched, a line for a person', async (t) => {
  const { machine, layer } = await prepare(t);
  const origin = await startOrigin(readFileSync(layer));
  t.teardown(() => origin.close());
  const proxy = await startFaultProxy({ upstream: origin.url });
  t.teardown(() => proxy.close());
  const mount = await machine.mount([`${proxy.url}/layer`]);
  const { lines, child, ended } = await trace(t, machine, [mount.merged]);
  const requests = async (): Promise<number> => (await machine.status())?.counters.requests ?? 0;
  const before = await requests();
  const gate = new Gate();
  proxy.fault = () => ({ kind: 'hold', gate, after: 0 });
  const reading = readFile(join(mount.merged, 'first'));
  await until('the open has asked, and so has the read, which waits', async () => (await requests()) >= before + 2);
  gate.open();
  await reading;
  await until('it is told', () => lines.length === 1);
  t.regex(lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} +\d+\.\d ms {2}fetch \d+\.\d ms +1 {2}\/first$/);
  child.kill('SIGINT');
  t.is(await ended, 0);
});

mounting('trace tells how an open failed', async (t) => {
  const { machine, layer } = await prepare(t);
  const mount = await machine.mount([layer]);
  const { lines, child } = await trace(t, machine, [mount.merged, '--json']);
  truncateSync(layer, 1000);
  t.throws(() => readFileSync(join(mount.merged, 'second')), { code: 'EIO' });
  await until('it is told', () => lines.length === 1);
  t.like(JSON.parse(lines[0] ?? ''), { path: '/second', error: 'EIO' });
  child.kill('SIGINT');
});

mounting('two traces of a mount tell the same, and one of another mount does not', async (t) => {
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
  await until('both tell', () => traces[0]?.lines.length === 1 && traces[1]?.lines.length === 1);
  t.deepEqual(traces[0]?.lines, traces[1]?.lines);
  traces[0]?.child.kill('SIGINT');
  await traces[0]?.ended;
  readFileSync(join(mount.merged, 'first'));
  await until('the other goes on', () => traces[1]?.lines.length === 2);
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
  await machine.crfs('stop');
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
  await machine.crfs('stop');
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
