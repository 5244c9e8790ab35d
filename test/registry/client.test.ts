// SPDX-License-Identifier: GPL-3.0-or-later

import type { ExecutionContext } from 'ava';
import { digestOf, readBlob } from '../../src/main/blob/digest.js';
import { openBlob } from '../../src/main/registry/blob-source.js';
import type { RegistryClient } from '../../src/main/registry/client.js';
import type { ManifestStore } from '../../src/main/registry/types.js';
import { sameBytes } from '../tools/bytes.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { type Registry, startRegistry } from '../tools/registry.js';
import { makeImage, pushImage, type TestImage } from '../tools/registry-image.js';
import { first, makeClient, makeHome, ref, rejects, registryTest as test } from './setting.js';

async function plain(t: ExecutionContext): Promise<Registry> {
  const registry = await startRegistry();
  t.teardown(async () => {
    await registry.stop();
  });
  return registry;
}

for (const docker of [false, true]) {
  test(`an image of ${docker ? 'Docker' : 'OCI'} types is read from a registry on this machine, over plain http`, async (t) => {
    const registry = await plain(t);
    const image = await makeImage(3, 50_000);
    await pushImage(image, `${registry.host}/a/b:one`, { docker });
    const client = makeClient(t, await makeHome(t));
    const name = ref(registry.host, 'a/b', { tag: 'one' });
    const manifest = await client.getManifest(name);
    t.deepEqual(
      manifest.layers.map(({ digest }) => digest),
      image.layers.map(({ digest }) => digest),
    );
    for (const [index, layer] of manifest.layers.entries()) {
      const source = await openBlob(client, name, layer);
      const bytes = image.layers[index]?.bytes ?? Buffer.alloc(0);
      sameBytes(t, await source.read(100, 1000), bytes.subarray(100, 1100));
      sameBytes(t, await readBlob(await openBlob(client, name, layer), layer, 1 << 20), bytes);
    }
    const again = await client.getManifest(ref(registry.host, 'a/b', { digest: manifest.digest }));
    t.deepEqual(again.bytes, manifest.bytes);
  });
}

test('an image that is not there is not found', async (t) => {
  const registry = await plain(t);
  const client = makeClient(t, await makeHome(t));
  const error = await rejects(t, 'CRFS_NOT_FOUND', async () => await client.getManifest(ref(registry.host, 'no/such')));
  t.regex(error.message, /no\/such:latest/);
});

test('a manifest of another digest than asked for is refused', async (t) => {
  const registry = await plain(t);
  await pushImage(await makeImage(1, 10), `${registry.host}/a:one`);
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
  });
  const client = makeClient(t, await makeHome(t));
  proxy.fault = () => ({ kind: 'headers', headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } });
  await rejects(t, 'CRFS_DIGEST', async () => await client.getManifest(ref(proxy.host, 'a', { tag: 'one' })));
});

async function pushed(t: ExecutionContext): Promise<{ proxy: FaultProxy; client: RegistryClient; image: TestImage }> {
  const registry = await plain(t);
  const image = await makeImage(1, 100_000);
  await pushImage(image, `${registry.host}/a:one`);
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
  });
  return { proxy, client: makeClient(t, await makeHome(t)), image };
}

test('a manifest asked for by digest must have it, whatever the registry says', async (t) => {
  const { proxy, client } = await pushed(t);
  const body = '{"schemaVersion":2,"layers":[]}';
  const headers = { 'docker-content-digest': digestOf(Buffer.from(body)) };
  proxy.fault = () => ({ kind: 'status', status: 200, headers, body });
  const digest = `sha256:${'0'.repeat(64)}`;
  await rejects(t, 'CRFS_DIGEST', async () => await client.getManifest(ref(proxy.host, 'a', { digest })));
});

test('a manifest that was kept, and has other bytes by now, is asked for again', async (t) => {
  const { proxy, client } = await pushed(t);
  const kept = new Map<string, Uint8Array>();
  const store: ManifestStore = {
    get: async (digest) => kept.get(digest),
    put: async (digest, bytes) => void kept.set(digest, bytes),
  };
  const { digest, bytes } = await client.getManifest(ref(proxy.host, 'a', { tag: 'one' }), { store });
  kept.set(digest, Buffer.from(bytes).fill(' ', 0, 1).fill('{', 1, 2));
  proxy.reset();
  const again = await client.getManifest(ref(proxy.host, 'a', { digest }), { store });
  t.deepEqual(Buffer.from(again.bytes), Buffer.from(bytes));
  t.is(proxy.seen.length, 1);
  t.deepEqual(Buffer.from(kept.get(digest) ?? []), Buffer.from(bytes));
});

test('a blob that is read as a whole must have its digest', async (t) => {
  const { proxy, client } = await pushed(t);
  const name = ref(proxy.host, 'a', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  proxy.fault = () => ({ kind: 'invert' });
  await rejects(t, 'CRFS_DIGEST', async () => await readBlob(await openBlob(client, name, layer), layer, 1 << 20));
});

test('a registry that is killed is unreachable, and readable when it is back', async (t) => {
  const registry = await plain(t);
  const image = await makeImage(1, 100_000);
  await pushImage(image, `${registry.host}/a:one`);
  const second = await startRegistry({ root: registry.root });
  const proxy = await startFaultProxy({ upstream: second.url });
  t.teardown(() => proxy.close());
  const client = makeClient(t, await makeHome(t));
  const name = ref(proxy.host, 'a', { tag: 'one' });
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  await source.read(0, 10);
  await second.stop();
  await rejects(t, 'CRFS_UNREACHABLE', async () => await source.read(10, 10));
  proxy.upstream = registry.url;
  sameBytes(t, await source.read(10, 10), image.layers[0]?.bytes.subarray(10, 20));
});
