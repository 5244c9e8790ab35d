// SPDX-License-Identifier: GPL-3.0-or-later

/** What a configuration stands for, and when an older answer will do. */

import { mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { HeldFile } from '../../src/main/blob/held-file.js';
import type { ClientLease } from '../../src/main/daemon/clients.js';
import { Resolver } from '../../src/main/daemon/resolver.js';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import { makeClient, makeHome, registryTest as test } from '../registry/setting.js';
import { startFaultProxy } from '../tools/fault-proxy.js';
import { startRegistry } from '../tools/registry.js';
import { makeImage, pushImage } from '../tools/registry-image.js';

const log = pino({ level: 'silent' });

function place(t: ExecutionContext): { path: string; layout: CacheLayout; resolver: Resolver } {
  const path = mkdtempSync(join(tmpdir(), 'crfs-resolver-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  const layout = new CacheLayout(path);
  for (const directory of layout.directories) mkdirSync(directory, { recursive: true });
  return { path, layout, resolver: new Resolver(layout, log) };
}

test('a layer file is another one once anybody has written to it, whatever its times say', async (t) => {
  const { path, resolver } = place(t);
  const file = join(path, 'layer');
  const lease = {} as ClientLease; // nobody is asked for a file
  const identity = async (): Promise<string> => {
    const held = new HeldFile(openSync(file, 'r'));
    const { layers } = await resolver.resolve(file, held, { lease, trusted: false });
    held.release();
    return layers[0]?.identity ?? '';
  };
  writeFileSync(file, 'one');
  utimesSync(file, 1000, 1000);
  const first = await identity();
  t.is(await identity(), first);
  const { ctimeMs } = statSync(file);
  while (statSync(file).ctimeMs === ctimeMs) {
    writeFileSync(file, 'two'); // again, until the clock of the file system has moved on
    utimesSync(file, 1000, 1000);
  }
  t.not(await identity(), first);
  await t.throwsAsync(resolver.resolve(file, undefined, { lease, trusted: false }), { code: 'CRFS_USAGE' });
});

test('what a name stood for holds while its registry cannot be reached, and no longer when it refuses', async (t) => {
  const { layout, resolver } = place(t);
  const registry = await startRegistry();
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.stop();
  });
  await pushImage(await makeImage(2, 10), `${registry.host}/a:one`);
  const client = makeClient(t, await makeHome(t));
  const lease: ClientLease = { number: 1, client: async () => client, release: async () => undefined };
  const name = `docker://${proxy.host}/a:one`;
  const resolve = async (by = lease) => await resolver.resolve(name, undefined, { lease: by, trusted: false });
  const first = await resolve();
  const keys = async (by: ClientLease) => (await resolve(by)).layers.map(({ shareKey }) => shareKey);
  t.deepEqual(await keys(lease), await keys({ ...lease }));
  for (const key of await keys({ ...lease, number: 2 }))
    t.false((await keys(lease)).includes(key), 'asked for otherwise');
  t.regex(first.text, /@sha256:/);
  t.is(first.layers.length, 2);
  for (const kept of readdirSync(layout.directory('manifests'))) {
    t.is(statSync(join(layout.directory('manifests'), kept)).mode & 0o777, 0o600);
  }
  proxy.fault = () => ({ kind: 'status', status: 503 });
  const kept = await resolve();
  t.is(kept.text, first.text);
  t.deepEqual(
    kept.layers.map(({ identity }) => identity),
    first.layers.map(({ identity }) => identity),
  );
  for (const [status, code] of [
    [403, 'CRFS_DENIED'],
    [404, 'CRFS_NOT_FOUND'],
  ] as const) {
    proxy.fault = () => ({ kind: 'status', status });
    await t.throwsAsync(resolve(), { code });
  }
});
