// SPDX-License-Identifier: GPL-3.0-or-later

/** Metrics, as Prometheus would scrape them. */

import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Client, request } from 'undici';
import { options, parseOption } from '../../src/main/settings/options.js';
import { knownLayer, readAll } from '../faults/world.js';
import { listen } from '../tools/local-server.js';
import { anyDriver, Machine, mountingTest, until } from '../tools/machine.js';
import { startOrigin } from '../tools/origin.js';

const mounting = mountingTest();
const shared = anyDriver();

/** Starts a daemon with metrics on a port that was free: until it is there, others may take the port first. */
async function startWithMetrics(machine: Machine): Promise<string> {
  for (;;) {
    const server = createServer();
    const address = await listen(server);
    server.close();
    await once(server, 'close');
    await machine.crfs('daemon', '--metrics', address);
    if (!machine.log.includes(`address already in use ${address}`)) return `http://${address}/metrics`;
    await machine.stop();
  }
}

/** The samples of a scrape, each of which must come behind its help and its type. */
function parse(t: ExecutionContext, text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const metric = /# HELP (\w+) \S.*\n# TYPE (\w+) (counter|gauge)\n(\w+)(\{version="[^"]+"\})? (\S+)\n/gy;
  let end = 0;
  for (const [all, help, typed, type, name, , value] of text.matchAll(metric)) {
    t.is(help, name);
    t.is(typed, name);
    t.is(type === 'counter', name?.endsWith('_total') ?? false, name);
    t.true(Number(value) >= 0, `${name} ${value}`);
    samples.set(name ?? '', Number(value));
    end += all.length;
  }
  t.is(end, text.length);
  return samples;
}

async function scrape(t: ExecutionContext, url: string): Promise<Map<string, number>> {
  const { statusCode, headers, body } = await request(url);
  t.is(statusCode, 200);
  t.is(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return parse(t, await body.text());
}

shared('metrics are scraped on a loopback port while a mount reads, and no counter ever falls', async (t, driver) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const url = await startWithMetrics(machine);
  const known = await knownLayer(machine, { small: 100, large: 4 });
  const origin = await startOrigin(readFileSync(known.layer));
  t.teardown(() => origin.close());
  const mount = await machine.mount([`${origin.url}/layer`]);
  const scrapes = [await scrape(t, url)];
  const reading = { ended: false };
  const readers = readAll(mount.merged, known, 4).finally(() => {
    reading.ended = true;
  });
  while (!reading.ended) scrapes.push(await scrape(t, url));
  t.deepEqual(await readers, { failed: [], wrong: [] });
  scrapes.push(await scrape(t, url));
  await mount.unmount();
  await until('the mount is let go', async () => (await scrape(t, url)).get('crfs_mounts') === 0);
  scrapes.push(await scrape(t, url));
  const [first, last] = [scrapes[0], scrapes.at(-1)];
  for (const name of first?.keys() ?? []) {
    const values = scrapes.map((samples) => samples.get(name) ?? Number.NaN);
    const rises = values.every((value, n) => n === 0 || value >= (values[n - 1] ?? 0));
    if (name.endsWith('_total')) t.true(rises, `${name}: ${values.join(' ')}`);
  }
  t.is(first?.get('crfs_mounts'), 1);
  t.is(first?.get('crfs_opens_total'), 0);
  // of four readers, the kernel reads for the first, and keeps that for the others
  t.is(last?.get('crfs_opens_total'), (driver === 'overlay' ? 1 : 4) * known.digests.size);
  t.is(last?.get('crfs_objects_filled_total'), known.digests.size);
  t.is(last?.get('crfs_faults_total'), 0);
  t.true((last?.get('crfs_fetched_bytes_total') ?? 0) >= origin.content.length, 'of a layer that has gone');
  t.true((last?.get('crfs_open_wait_seconds_total') ?? 0) > 0);
  t.true((last?.get('process_resident_memory_bytes') ?? 0) > 1e6);
});

mounting('metrics are served at a socket that belongs to the user alone, and end with the daemon', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const path = join(machine.root, 'metrics.sock');
  await machine.crfs('daemon', '--metrics', path);
  t.is(statSync(path).mode & 0o777, 0o700);
  const client = new Client('http://crfs', { socketPath: path });
  t.teardown(() => client.close());
  const { body } = await client.request({ method: 'GET', path: '/metrics' });
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
    version: string;
  };
  t.true((await body.text()).includes(`\ncrfs_build_info{version="${version}"} 1\n`));
  for (const other of ['/', '/metrics/', '/status']) {
    const answer = await client.request({ method: 'GET', path: other });
    await answer.body.dump();
    t.is(answer.statusCode, 404, other);
  }
  const daemon = (await machine.status())?.pid ?? 0;
  process.kill(daemon, 'SIGKILL');
  await until('it is dead', async () => (await machine.status()) === null);
  t.true(statSync(path).isSocket());
  await machine.crfs('daemon', '--metrics', path);
  const again = await client.request({ method: 'GET', path: '/metrics' });
  await again.body.dump();
  t.is(again.statusCode, 200, 'a socket that was left is replaced');
  await machine.stop();
  t.is(statSync(path, { throwIfNoEntry: false }), undefined);
});

mounting('a daemon serves mounts also where it cannot serve metrics, and its log says why', async (t) => {
  const server = createServer();
  t.teardown(() => server.close());
  const address = await listen(server);
  const machine = new Machine({ CRFS_METRICS: address });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 5, large: 0 });
  const mount = await machine.mount([known.layer]);
  t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  t.regex(machine.log, new RegExp(`"msg":"no metrics: listen EADDRINUSE: address already in use ${address}"`));
});

function parsed(text: string): unknown {
  return parseOption('metrics', text, 'here');
}

test('metrics are served to this machine alone: other addresses are refused', (t) => {
  t.deepEqual(parsed('127.0.0.1:9464'), { host: '127.0.0.1', port: 9464 });
  t.deepEqual(parsed('[::1]:9464'), { host: '::1', port: 9464 });
  t.deepEqual(parsed('/run/user/0/metrics.sock'), { path: '/run/user/0/metrics.sock' });
  t.is(parsed('off'), undefined);
  const wrong = ['', '0.0.0.0:9464', '10.0.0.1:9464', '[::]:9464', 'localhost:9464', '127.0.0.1', '127.0.0.1:0'];
  for (const text of [...wrong, '127.0.0.1:65536', '127.0.0.999:1', 'metrics.sock', `/${'x'.repeat(107)}`]) {
    t.throws(() => parsed(text), {
      code: 'CRFS_USAGE',
      message: `here: metrics is ${JSON.stringify(text)}; it must be off, 127.0.0.1:PORT, [::1]:PORT or the absolute path of a unix socket`,
    });
  }
  t.is(options.metrics.fallback, undefined);
});
