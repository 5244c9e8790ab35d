// SPDX-License-Identifier: GPL-3.0-or-later

import { readFile } from 'node:fs/promises';
import type { ExecutionContext } from 'ava';
import { openBlob } from '../../src/main/registry/blob-source.js';
import { sameBytes } from '../tools/bytes.js';
import { startFaultProxy } from '../tools/fault-proxy.js';
import { type Registry, type RegistryOptions, startRegistry, USER } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { makeImage, pushImage, type TestImage } from '../tools/registry-image.js';
import { REFRESH_TOKEN, startTokenServer, type TokenServer } from '../tools/registry-tokens.js';
import { first, LOGIN, logIn, makeClient, makeHome, ref, rejects, registryTest as test } from './setting.js';

async function start(t: ExecutionContext, options: RegistryOptions): Promise<Registry> {
  const registry = await startRegistry(options);
  t.teardown(async () => {
    await registry.stop();
  });
  return registry;
}

interface Guarded {
  readonly registry: Registry;
  readonly tokens: TokenServer;
  readonly image: TestImage;
}

/** A registry that wants tokens, with one image, `a/b:one`. */
async function guarded(t: ExecutionContext): Promise<Guarded> {
  const certificates = await makeCertificates();
  const tokens = await startTokenServer(certificates.ca);
  t.teardown(async () => {
    await tokens.close();
    await certificates.remove();
  });
  const registry = await start(t, { auth: tokens.auth });
  const image = await makeImage(2, 200_000);
  await pushImage(image, `${registry.host}/a/b:one`, { login: true });
  tokens.seen.length = 0;
  return { registry, tokens, image };
}

test('a registry with basic authentication denies, and after a login answers, without a restart', async (t) => {
  const registry = await start(t, { auth: 'basic' });
  await pushImage(await makeImage(1, 10), `${registry.host}/a/b:one`, { login: true });
  const home = await makeHome(t);
  const client = makeClient(t, home);
  const name = ref(registry.host, 'a/b', { tag: 'one' });
  await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(name));
  await logIn(home, registry.host, { auth: Buffer.from(`${USER}:wrong`).toString('base64') });
  const error = await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(name));
  t.false(error.message.includes('wrong'));
  await logIn(home, registry.host);
  const { layers } = await client.getManifest(name);
  t.is(layers.length, 1);
});

test('a registry with tokens gets one for all requests to a repository that come at once', async (t) => {
  const { registry, tokens, image } = await guarded(t);
  const home = await makeHome(t);
  await logIn(home, registry.host);
  const client = makeClient(t, home);
  const name = ref(registry.host, 'a/b', { tag: 'one' });
  const { layers } = await client.getManifest(name);
  await Promise.all(
    [...layers, ...layers, ...layers].map(async (layer) => {
      const source = await openBlob(client, name, layer);
      const index = layers.indexOf(layer);
      sameBytes(t, await source.read(0, layer.size), image.layers[index]?.bytes);
    }),
  );
  t.deepEqual(
    tokens.seen.map(({ scopes }) => scopes),
    [['repository:a/b:pull']],
  );
});

test('a token that ends is replaced before it is refused', async (t) => {
  const { registry, tokens } = await guarded(t);
  tokens.told = 0.001; // seconds: it has ended before it is used
  const home = await makeHome(t);
  await logIn(home, registry.host);
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
  });
  await logIn(home, proxy.host);
  const client = makeClient(t, home);
  const name = ref(proxy.host, 'a/b', { tag: 'one' });
  await client.getManifest(name);
  proxy.reset();
  const bought = tokens.seen.length;
  await client.getManifest(name);
  t.is(proxy.seen.length, 1);
  t.is(tokens.seen.length, bought + 1);
});

test('a blob is read while tokens come and go', async (t) => {
  const { registry, tokens, image } = await guarded(t);
  tokens.told = 0.001; // seconds
  const home = await makeHome(t);
  await logIn(home, registry.host);
  const client = makeClient(t, home);
  const name = ref(registry.host, 'a/b', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  const bought = tokens.seen.length;
  for (let at = 0; at < 5000; at += 1000) {
    sameBytes(t, await source.read(at, 1000), image.layers[0]?.bytes.subarray(at, at + 1000));
  }
  t.true(tokens.seen.length >= bought + 5);
});

test('a token that is refused in the middle of a blob is replaced', async (t) => {
  const { registry, tokens, image } = await guarded(t);
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const home = await makeHome(t);
  await logIn(home, proxy.host);
  const client = makeClient(t, home);
  const name = ref(proxy.host, 'a/b', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  await source.read(0, 1000);
  const others = await makeCertificates();
  t.teardown(() => others.remove());
  await tokens.sign(others.ca);
  proxy.upstream = (await start(t, { root: registry.root, auth: tokens.auth })).url;
  const bought = tokens.seen.length;
  sameBytes(t, await source.read(1000, 1000), image.layers[0]?.bytes.subarray(1000, 2000));
  t.is(tokens.seen.length, bought + 1);
});

for (const status of [400, 401]) {
  test(`a ${status} to a token that was good gets a fresh one`, async (t) => {
    const { registry, tokens } = await guarded(t);
    const home = await makeHome(t);
    const proxy = await startFaultProxy({ upstream: registry.url });
    t.teardown(async () => {
      await proxy.close();
    });
    await logIn(home, proxy.host);
    const client = makeClient(t, home);
    const name = ref(proxy.host, 'a/b', { tag: 'one' });
    await client.getManifest(name);
    proxy.reset();
    proxy.fault = ({ number }) => (number === 0 ? { kind: 'status', status } : undefined);
    await client.getManifest(name);
    t.is(proxy.seen.length, 2);
    t.is(tokens.seen.length, 2);
  });
}

test('an identity token buys tokens', async (t) => {
  const { registry, tokens } = await guarded(t);
  const home = await makeHome(t);
  await logIn(home, registry.host, { identitytoken: REFRESH_TOKEN });
  const client = makeClient(t, home);
  await client.getManifest(ref(registry.host, 'a/b', { tag: 'one' }));
  t.deepEqual(
    tokens.seen.map(({ method, authorization }) => [method, authorization]),
    [['POST', undefined]],
  );
});

test('a token server that refuses the credentials is a denial that shows none of them', async (t) => {
  const { registry } = await guarded(t);
  const home = await makeHome(t);
  await logIn(home, registry.host, { auth: Buffer.from('alice:hunter2').toString('base64') });
  const client = makeClient(t, home);
  const error = await rejects(
    t,
    'CRFS_DENIED',
    async () => await client.getManifest(ref(registry.host, 'a/b', { tag: 'one' })),
  );
  t.false(`${error.stack} ${JSON.stringify(error)}`.includes('hunter2'));
});

test('neither credentials nor tokens reach the host of a redirect', async (t) => {
  const { registry, image } = await guarded(t);
  const open = await start(t, { root: registry.root });
  const proxy = await startFaultProxy({ upstream: registry.url, storeUpstream: open.url });
  t.teardown(async () => {
    await proxy.close();
  });
  proxy.fault = ({ path, headers }) =>
    path.includes('/blobs/') && headers.authorization !== undefined ? { kind: 'redirect' } : undefined;
  const home = await makeHome(t);
  await logIn(home, proxy.host);
  const client = makeClient(t, home);
  const name = ref(proxy.host, 'a/b', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  sameBytes(t, await source.read(0, 1000), image.layers[0]?.bytes.subarray(0, 1000));
  proxy.expire();
  sameBytes(t, await source.read(1000, 1000), image.layers[0]?.bytes.subarray(1000, 2000));
  t.is(proxy.store.seen.length, 3);
  for (const { headers, path } of proxy.store.seen) {
    t.is(headers.authorization, undefined);
    t.false(path.includes(LOGIN));
    t.deepEqual(Object.keys(headers).sort(), ['accept-encoding', 'connection', 'host', 'range', 'user-agent']);
  }
});

test('a token server that is not as safe as its registry is not asked', async (t) => {
  const certificates = await makeCertificates();
  const tokens = await startTokenServer(certificates.ca);
  t.teardown(async () => {
    await tokens.close();
    await certificates.remove();
  });
  const registry = await start(t, { auth: tokens.auth, tls: certificates.server });
  const home = await makeHome(t);
  await home.write(
    `etc/containers/certs.d/${registry.host}/ca.crt`,
    await readFile(certificates.ca.certificate, 'utf8'),
  );
  await logIn(home, registry.host);
  const client = makeClient(t, home);
  await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(ref(registry.host, 'a/b')));
  t.deepEqual(tokens.seen, []);
});
