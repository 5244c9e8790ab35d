// SPDX-License-Identifier: GPL-3.0-or-later

/** What `crfs trace` tells of reads that wait for a network. */

import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Opening } from '../../src/main/daemon/tracer.js';
import { noise } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { anyDriver, eachDriver, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { MIB, onlyThese, remoteLayer } from '../tools/remote-layer.js';
import { run } from '../tools/run.js';
import { trace } from './tracing.js';

const both = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

both('trace tells what was fetched, a line for a person', async (t, driver) => {
  const { machine, proxy, mount } = await remoteLayer(t, { first: noise(300_000, 1), second: noise(3_000_000, 2) });
  const { lines, child, ended } = await trace(t, machine, [mount.merged]);
  const requests = async (): Promise<number> => (await machine.status())?.counters.requests ?? 0;
  const before = await requests();
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = () => ({ kind: 'hold', gate, after: 0 });
  const reading = readFile(join(mount.merged, 'first'));
  const asked = before + (driver === 'overlay' ? 1 : 2);
  await until('the open, if it is told of, has asked, and so has the read, which waits', async () => {
    return (await requests()) >= asked;
  });
  gate.open();
  await reading;
  await until('it is told', () => lines.length > 0);
  for (const line of lines) {
    t.regex(line, /^\d\d:\d\d:\d\d\.\d{3} +\d+\.\d ms {2}fetch \d+\.\d ms +1 {2}\/first$/);
  }
  child.kill('SIGINT');
  t.is(await ended, 0);
});

shared('of reads that wait at the same time, trace tells of each what the network took of its own time', async (t) => {
  const large = noise(8 * MIB);
  const { machine, proxy, mount } = await remoteLayer(t, { large });
  const { lines, child } = await trace(t, machine, [mount.merged, '--json']);
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = onlyThese(gate);
  const readings = [0, 2].map((skip) => {
    return run('dd', ['bs=4k', 'count=1', `skip=${skip * 256}`, 'iflag=direct', `if=${join(mount.merged, 'large')}`]);
  });
  await until('both wait', () => gate.arrivals >= readings.length);
  gate.open();
  await Promise.all(readings);
  await until('both are told', () => lines.length >= readings.length);
  for (const line of lines) {
    const { path, for: what, waitedMs, fetchedMs } = JSON.parse(line) as Opening;
    t.deepEqual([path, what], ['/large', 'fetch']);
    t.true(fetchedMs <= waitedMs, line);
  }
  child.kill('SIGINT');
});

shared(
  'trace writes a page of what it has seen when it ends: what waited, what came, and what of that was not opened',
  async (t) => {
    const files = { first: noise(3 * MIB, 1), neighbour: noise(20_000, 2), last: noise(2 * MIB, 3) };
    const { machine, mount } = await remoteLayer(t, files, { chunkSize: 4 * MIB });
    const file = join(machine.root, 'trace.html');
    const { lines, child, ended } = await trace(t, machine, [mount.merged, '--json', '--html', file]);
    await readFile(join(mount.merged, 'first'));
    await until('it is told', () => lines.length > 0);
    t.like(JSON.parse(lines[0] ?? ''), { path: '/first', for: 'fetch' });
    child.kill('SIGINT');
    t.is(await ended, 0);
    const page = readFileSync(file, 'utf8');
    t.regex(page, /<bdi class="last">\/first<\/bdi>.*fetch \d+\.\d ms/);
    t.true(page.includes('for a reader who waited'));
    t.true(page.includes(mount.merged));
    t.true(
      lines.every((line) => !line.includes('request')),
      'requests are no lines of a trace',
    );
  },
);

shared('trace says at once where its page cannot be written', async (t) => {
  const { machine, mount } = await remoteLayer(t, { file: noise(1000, 1) });
  const file = join(machine.root, 'not-there/trace.html');
  await t.throwsAsync(machine.crfs('trace', mount.merged, '--html', file), { message: /no such file or directory/ });
  t.false(existsSync(file));
});

shared('trace tells what failed for the network', async (t) => {
  const { machine, proxy, mount } = await remoteLayer(t, { large: noise(3 * MIB) });
  const { lines, child } = await trace(t, machine, [mount.merged, '--json']);
  proxy.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'status', status: 404 } : undefined);
  await t.throwsAsync(readFile(join(mount.merged, 'large')), { code: 'EIO' });
  await until('it is told', () => lines.length > 0);
  for (const line of lines) t.like(JSON.parse(line), { path: '/large', for: 'fetch', error: 'EIO' });
  child.kill('SIGINT');
});
