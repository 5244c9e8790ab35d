// SPDX-License-Identifier: GPL-3.0-or-later

/** The recipes of docs/fleets.md: what a registry has to send for machines that start an image through one cache. */

import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { times } from '../faults/world.js';
import { LOGIN } from '../registry/setting.js';
import { sameBytes } from '../tools/bytes.js';
import { startFaultProxy } from '../tools/fault-proxy.js';
import {
  blobRequests,
  files,
  fleet,
  logIn,
  MIB,
  machineWith,
  nginxBehind,
  pullThrough,
  start,
  startMany,
} from '../tools/fleet.js';
import { Gate } from '../tools/gate.js';
import { debianImage } from '../tools/image.js';
import { until } from '../tools/machine.js';
import { recipe } from '../tools/recipes.js';
import { startRegistry } from '../tools/registry.js';
import { pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';

fleet(
  'for all machines that start an image through nginx, the registry sends what one of them takes',
  async (world) => {
    const { t, origin, layer } = world;
    origin.reset();
    await start((await nginxBehind(world, origin.url)).host, world);
    const ofOne = origin.sent;
    t.true(ofOne < layer.size * 0.6, `one start took ${ofOne} of ${layer.size} bytes`);
    origin.reset();
    const count = times(4, 50);
    await startMany(count, (await nginxBehind(world, origin.url)).host, world);
    t.log(`one start: ${ofOne} bytes; ${count}: ${origin.sent}`);
    t.true(origin.sent <= 1.1 * ofOne, `${count} starts took ${origin.sent} bytes, one ${ofOne}`);
    const ranges = blobRequests(origin).map(({ headers }) => headers.range);
    t.is(new Set(ranges).size, ranges.length);
  },
);

// As long as fifty starts take, for a property that the test above has as well: for the figures of docs/fleets.md.
if (process.env['CRFS_TEST_LONG']) {
  fleet('whatever each start of a program fetches along, nginx asks for each slice once', async (world) => {
    const { t, registry, origin } = world;
    await pushImage(await debianImage(), `${registry.host}/debian:1`);
    const { host } = await nginxBehind(world, origin.url);
    const came: number[] = [];
    for (let turn = 50; turn > 0; turn--) {
      const machine = machineWith(host, world);
      const mount = await machine.mount([`docker://${origin.host}/debian:1`], { upper: true });
      t.is(String(await run('chroot', [mount.merged, 'python3', '-c', 'print("hello")'])), 'hello\n');
      await mount.unmount();
      await machine.dispose();
      came.push(origin.sent);
    }
    t.log(`bytes from the registry, after one start, two, and so on: ${came.join(', ')}`);
    const ranges = blobRequests(origin).map(({ path, headers }) => `${path} ${headers.range}`);
    t.is(new Set(ranges).size, ranges.length);
  });
}

fleet('where the registry ignores ranges, whole layers come through nginx', async (world) => {
  const { t, origin, layer } = world;
  origin.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'whole' } : undefined);
  origin.reset();
  await start((await nginxBehind(world, origin.url)).host, world);
  t.true(origin.sent >= layer.size);
});

fleet('where the registry sends on to a store, nginx goes there, and keeps what it sends', async (world) => {
  const { t, origin, layer } = world;
  origin.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'redirect' } : undefined);
  origin.reset();
  const { host } = await nginxBehind(world, origin.url);
  await start(host, world);
  t.true(origin.store.seen.length > 0);
  t.true(origin.store.seen.every(({ headers }) => Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1]) % MIB === 0));
  origin.reset();
  await start(host, world);
  t.deepEqual([...origin.seen, ...origin.store.seen], []);
  origin.reset();
  const headers = { authorization: 'Basic eDp5', range: `bytes=${8 * MIB}-${8 * MIB + 9}` };
  t.is((await fetch(`http://${host}/v2/app/blobs/${layer.digest}`, { headers })).status, 206);
  t.deepEqual(
    [origin, origin.store].map(({ seen }) => seen.map((one) => one.headers.authorization)),
    [['Basic eDp5'], [undefined]],
  );
});

fleet(
  'who has logged in to nginx has logged in to the registry',
  async (world) => {
    const { t, origin } = world;
    const { host } = await nginxBehind(world, origin.url);
    const machine = machineWith(host, world);
    await t.throwsAsync(async () => await machine.crfs('ls', world.image), { message: /podman login/ });
    logIn(machine, host);
    t.is(await machine.crfs('ls', world.image), `${[...files.keys()].join('\n')}\n`);
    t.deepEqual(
      new Set(origin.seen.flatMap(({ headers }) => headers.authorization ?? [])),
      new Set([`Basic ${LOGIN}`]),
    );
  },
  { auth: 'basic' },
);

fleet(
  'a pull-through cache sends ranges of what one machine has prefetched, and asks for no blob again',
  async (world) => {
    const { t, origin, layer, config } = world;
    const cache = await pullThrough(world);
    await machineWith(cache.host, world).crfs('prefetch', world.image);
    const kept = join(cache.root, 'docker/registry/v2/repositories/app/_layers/sha256');
    const links = [layer, config].map(({ digest }) => join(kept, digest.slice('sha256:'.length), 'link'));
    await until('the cache has all of the image', () => links.every((link) => existsSync(link)));
    origin.reset();
    await startMany(2, cache.host, world);
    t.deepEqual(blobRequests(origin), []);
    const range = { headers: { range: 'bytes=1000-1999' } };
    t.is((await fetch(`${cache.url}/v2/app/blobs/${layer.digest}`, range)).status, 206);
  },
);

fleet(
  'a pull-through cache that has nothing yet sends whole layers, of which files are read all the same',
  async (world) => {
    const { t, origin } = world;
    const cache = await pullThrough(world);
    origin.reset();
    await start(cache.host, world);
    t.true(blobRequests(origin).some(({ headers }) => headers.range === undefined));
  },
);

fleet('a registry that skopeo has copied the image to is all that machines ask', async (world) => {
  const { t, origin, registry } = world;
  const mirror = await startRegistry();
  t.teardown(() => mirror.stop());
  const insecure = 'skopeo --insecure-policy copy --src-tls-verify=false --dest-tls-verify=false -q';
  const command = recipe('sh', {
    'skopeo copy': insecure,
    'registry.example.com/app:1': `${registry.host}/app:1`,
    'cache.example.com:5000': mirror.host,
  });
  await run('sh', ['-ec', command]);
  origin.reset();
  await start(mirror.host, world);
  t.deepEqual(origin.seen, []);
});

fleet(
  'a cache that dies in the middle of an answer costs one retry, and the registry sends the rest',
  async (world) => {
    const { t, origin, registry } = world;
    const behind = await startFaultProxy({ upstream: registry.url });
    t.teardown(() => behind.close());
    const nginx = await nginxBehind(world, behind.url);
    const front = await startFaultProxy({ upstream: `http://${nginx.host}` }); // which sees who asks a dead one
    t.teardown(() => front.close());
    const machine = machineWith(front.host, world);
    const mount = await machine.mount([world.image]);
    const fetched = async (): Promise<number> => (await machine.status())?.layers[0]?.fetched?.bytes ?? 0;
    const before = await fetched();
    const gate = new Gate();
    behind.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'hold', gate, after: MIB - 1000 } : undefined);
    for (const proxy of [front, origin]) proxy.reset();
    const file = await open(join(mount.merged, 'b'));
    t.teardown(() => file.close());
    /** From the last to the first: its reader goes on to nothing that is not there. */
    const readChunk = async (chunk: number): Promise<void> => {
      const { buffer } = await file.read(Buffer.alloc(MIB), 0, MIB, chunk * MIB);
      sameBytes(t, buffer, files.get('b')?.subarray(chunk * MIB, (chunk + 1) * MIB));
    };
    const reading = readChunk(2);
    await until('some of it has arrived', async () => (await fetched()) > before);
    await nginx.stop();
    gate.open();
    await reading;
    t.is(front.seen.length, 2);
    t.is(origin.seen.length, 1);
    const came = (await fetched()) - before;
    t.true(origin.sent < came, `${origin.sent} of ${came} bytes came from the registry`);
    for (const proxy of [front, origin]) proxy.reset();
    await readChunk(1);
    t.is(front.seen.length, 0);
    t.is(origin.seen.length, 1);
  },
);
