// SPDX-License-Identifier: GPL-3.0-or-later

import type { ExecutionContext } from 'ava';
import { openBlob } from '../../src/main/registry/blob-source.js';
import { sameBytes } from '../tools/bytes.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { PASSWORD, type Registry, type RegistryOptions, startRegistry, USER } from '../tools/registry.js';
import { makeImage, pushImage, type TestImage } from '../tools/registry-image.js';
import { first, type Home, makeClient, makeHome, ref, rejects, registryTest as test } from './setting.js';

interface Setting {
  readonly registry: Registry;
  /** In front of the registry: a mirror, and what stands for the registry itself. */
  readonly mirror: FaultProxy;
  readonly primary: FaultProxy;
  readonly home: Home;
  readonly image: TestImage;
}

async function setting(t: ExecutionContext, more = '', options: RegistryOptions = {}): Promise<Setting> {
  const registry = await startRegistry(options);
  const image = await makeImage(1, 300_000);
  await pushImage(image, `${registry.host}/team/a:one`, { login: options.auth === 'basic' });
  const [mirror, primary] = [
    await startFaultProxy({ upstream: registry.url }),
    await startFaultProxy({ upstream: registry.url }),
  ];
  t.teardown(async () => {
    await mirror.close();
    await primary.close();
    await registry.stop();
  });
  const home = await makeHome(t);
  const entry = `[[registry]]\nprefix = "example.com/x"\nlocation = "${primary.host}/team"\n`;
  await home.write(
    'etc/containers/registries.conf',
    `${entry}[[registry.mirror]]\nlocation = "${mirror.host}/team"\n${more}`,
  );
  return { registry, mirror, primary, home, image };
}

test('what a mirror has is not asked for anywhere else', async (t) => {
  const { mirror, primary, home, image } = await setting(t);
  const client = makeClient(t, home);
  const name = ref('example.com', 'x/a', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  sameBytes(t, await source.read(0, layer.size), image.layers[0]?.bytes);
  t.true(mirror.seen.length > 0);
  t.is(primary.seen.length, 0);
});

test('credentials that are given for an image go to its registry, and to no mirror', async (t) => {
  const { mirror, primary, home } = await setting(t, '', { auth: 'basic' });
  const client = makeClient(t, home, { login: { kind: 'basic', username: USER, password: PASSWORD } });
  t.is((await client.getManifest(ref('example.com', 'x/a', { tag: 'one' }))).layers.length, 1);
  t.true(mirror.seen.length > 0);
  t.false(mirror.seen.some(({ headers }) => headers.authorization !== undefined));
  t.true(primary.seen.some(({ headers }) => headers.authorization !== undefined));
});

for (const status of [404, 403, 500]) {
  test(`where a mirror answers ${status}, the registry itself is asked`, async (t) => {
    const { mirror, home } = await setting(t);
    mirror.fault = () => ({ kind: 'status', status });
    const client = makeClient(t, home);
    t.is((await client.getManifest(ref('example.com', 'x/a', { tag: 'one' }))).layers.length, 1);
  });
}

test('where a mirror breaks off in the middle of a blob, the registry itself gives the rest', async (t) => {
  const { mirror, primary, home, image } = await setting(t);
  const client = makeClient(t, home);
  const name = ref('example.com', 'x/a', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  const gate = new Gate();
  let requests = 0;
  mirror.fault = () => ({ kind: 'reset', after: requests++ === 0 ? 100_000 : 0, gate });
  const pieces: Uint8Array[] = [];
  for await (const piece of source.stream(0, layer.size)) {
    pieces.push(Buffer.from(piece));
    gate.open();
  }
  sameBytes(t, Buffer.concat(pieces), image.layers[0]?.bytes);
  t.regex(primary.seen.at(-1)?.headers.range ?? '', /^bytes=[1-9]/);
});

test('once bytes of a mirror were wrong, the registry itself is asked for these and all others', async (t) => {
  const { mirror, primary, home, image } = await setting(t);
  const client = makeClient(t, home);
  const name = ref('example.com', 'x/a', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const bytes = image.layers[0]?.bytes ?? Buffer.alloc(0);
  const source = await openBlob(client, name, layer);
  mirror.fault = () => ({ kind: 'invert' });
  t.notDeepEqual(Buffer.from(await source.read(1000, 100)), bytes.subarray(1000, 1100));
  t.is(primary.seen.length, 0);
  source.doubt?.(1000, 100);
  mirror.reset();
  t.deepEqual(Buffer.from(await source.read(1000, 100)), bytes.subarray(1000, 1100));
  t.deepEqual(Buffer.from(await source.read(200_000, 50)), bytes.subarray(200_000, 200_050));
  t.is(mirror.seen.length, 0);
  primary.fault = () => ({ kind: 'status', status: 404 });
  mirror.fault = () => undefined;
  t.deepEqual(Buffer.from(await source.read(0, 10)), bytes.subarray(0, 10));
});

test('where it is not known who gave wrong bytes, the first place is in doubt', async (t) => {
  const { mirror, primary, home, image } = await setting(t);
  const client = makeClient(t, home);
  const name = ref('example.com', 'x/a', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  mirror.reset();
  source.doubt?.(0, 100_000);
  source.doubt?.(100_000, 100_000);
  t.deepEqual(Buffer.from(await source.read(0, 10)), image.layers[0]?.bytes.subarray(0, 10));
  t.deepEqual([mirror.seen.length, primary.seen.length], [0, 1]);
});

test('where the bytes of the registry itself are as wrong as those of its mirror, it stays the first to be asked', async (t) => {
  const { mirror, primary, home } = await setting(t);
  const client = makeClient(t, home);
  const name = ref('example.com', 'x/a', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  for (let round = 0; round < 2; round++) {
    await source.read(0, 100);
    source.doubt?.(0, 100);
  }
  mirror.reset();
  primary.reset();
  await source.read(0, 100);
  t.deepEqual([mirror.seen.length, primary.seen.length], [0, 1]);
});

test('a registry without mirrors that cannot be reached is asked again by the next request', async (t) => {
  const { primary, home } = await setting(t);
  const client = makeClient(t, home);
  const name = ref(primary.host, 'team/a', { tag: 'one' });
  await client.getManifest(name);
  await primary.close();
  for (let round = 0; round < 2; round++) {
    await rejects(t, 'CRFS_UNREACHABLE', async () => await client.getManifest(name));
  }
  t.is((await client.pullEndpoints(name)).length, 1);
});

for (const kind of ['invert', 'whole'] as const) {
  test(`where what a mirror sends is no manifest (${kind}), the registry itself is asked`, async (t) => {
    const { mirror, home } = await setting(t);
    mirror.fault = () =>
      kind === 'invert'
        ? { kind }
        : { kind: 'status', status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Please log in</h1>' };
    const client = makeClient(t, home);
    t.is((await client.getManifest(ref('example.com', 'x/a', { tag: 'one' }))).layers.length, 1);
  });
}

test('a mirror that cannot be reached is left alone for a while', async (t) => {
  const { mirror, home } = await setting(t);
  const client = makeClient(t, home);
  const name = ref('example.com', 'x/a', { tag: 'one' });
  await mirror.close();
  await client.getManifest(name);
  const [endpoint, ...others] = await client.pullEndpoints(name);
  t.not(endpoint?.registry, mirror.host);
  t.deepEqual(others, []);
});

test('credentials for the registry do not go to its mirror', async (t) => {
  const { mirror, primary, home } = await setting(t);
  await home.write(
    'run/containers/auth.json',
    JSON.stringify({ auths: { [primary.host]: { auth: Buffer.from('a:b').toString('base64') } } }),
  );
  const challenge = { kind: 'status', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } } as const;
  mirror.fault = () => challenge;
  primary.fault = ({ headers }) => (headers.authorization === undefined ? challenge : undefined);
  const client = makeClient(t, home);
  t.is((await client.getManifest(ref('example.com', 'x/a', { tag: 'one' }))).layers.length, 1);
  t.true(mirror.seen.every(({ headers }) => headers.authorization === undefined));
  t.true(primary.seen.some(({ headers }) => headers.authorization !== undefined));
});

test('a blocked registry is not asked at all', async (t) => {
  const { mirror, primary, home } = await setting(t);
  await home.write('etc/containers/registries.conf', `[[registry]]\nlocation = "${primary.host}"\nblocked = true`);
  const client = makeClient(t, home);
  await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(ref(primary.host, 'team/a', { tag: 'one' })));
  t.is(primary.seen.length + mirror.seen.length, 0);
});
