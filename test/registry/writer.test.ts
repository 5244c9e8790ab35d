// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash, randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { readBlob } from '../../src/main/blob/digest.js';
import { openBlob } from '../../src/main/registry/blob-source.js';
import type { RegistryClient } from '../../src/main/registry/client.js';
import { OCI_MANIFEST } from '../../src/main/registry/manifest.js';
import { openWriter } from '../../src/main/registry/writer.js';
import { sameBytes } from '../tools/bytes.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { startRegistry } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { startKeepingRegistry } from '../tools/registry-keeping.js';
import { startTokenServer } from '../tools/registry-tokens.js';
import { logIn, makeClient, makeHome, ref, rejects, send, registryTest as test } from './setting.js';

const CHUNK = 100_000;

interface Setting {
  readonly client: RegistryClient;
  readonly proxy: FaultProxy;
  readonly bytes: Buffer;
  readonly digest: string;
}

async function setting(t: ExecutionContext, size = 450_000): Promise<Setting> {
  const registry = await startRegistry();
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.stop();
  });
  const client = makeClient(t, await makeHome(t));
  const bytes = randomBytes(size);
  return { client, proxy, bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 30_000) yield bytes.subarray(at, at + 30_000);
}

async function stored({ client, proxy, bytes, digest }: Setting): Promise<Buffer> {
  const named = { digest, size: bytes.length };
  return await readBlob(await openBlob(client, ref(proxy.host, 'a/b'), named), named, bytes.length);
}

test('a small blob is sent with two requests', async (t) => {
  const all = await setting(t, 1000);
  const { client, proxy, bytes, digest } = all;
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
  proxy.reset();
  await send(writer, digest, () => pieces(bytes));
  const methods = proxy.seen.map(({ method }) => method);
  t.deepEqual(methods.slice(-2), ['POST', 'PUT']);
  sameBytes(t, await stored(all), bytes);
});

test('an empty blob can be sent', async (t) => {
  const all = await setting(t, 0);
  const { client, proxy, bytes, digest } = all;
  const writer = await openWriter(client, ref(proxy.host, 'a/b'));
  await send(writer, digest, () => pieces(bytes));
  t.true(await writer.hasBlob(digest));
});

test('a large blob is sent in chunks, its digest known only at the end', async (t) => {
  const all = await setting(t);
  const { client, proxy, bytes, digest } = all;
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
  t.false(await writer.hasBlob(digest));
  const upload = await writer.beginBlob();
  for await (const piece of pieces(bytes)) await upload.write(piece);
  await upload.commit(digest);
  t.is(proxy.seen.filter(({ method }) => method === 'PATCH').length, 4);
  t.true(await writer.hasBlob(digest));
  sameBytes(t, await stored(all), bytes);
});

test('an upload that breaks between two chunks is resumed', async (t) => {
  const all = await setting(t);
  const { client, proxy, bytes, digest } = all;
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
  let patches = 0;
  proxy.fault = ({ method }) => (method === 'PATCH' && patches++ === 2 ? { kind: 'cut-upload', after: 0 } : undefined);
  const upload = await writer.beginBlob();
  for await (const piece of pieces(bytes)) await upload.write(piece);
  await upload.commit(digest);
  t.is(patches, 5);
  t.true(proxy.seen.some(({ method }) => method === 'GET'));
  t.is(proxy.seen.filter(({ method }) => method === 'POST').length, 1);
  sameBytes(t, await stored(all), bytes);
});

test('an upload that the registry gives up is started anew', async (t) => {
  const all = await setting(t, 2_000_000);
  const { client, proxy, bytes, digest } = all;
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: 1_000_000 });
  let patches = 0;
  proxy.fault = ({ method }) =>
    method === 'PATCH' && patches++ === 0 ? { kind: 'cut-upload', after: 600_000 } : undefined;
  await send(writer, digest, () => pieces(bytes));
  t.is(proxy.seen.filter(({ method }) => method === 'POST').length, 2);
  sameBytes(t, await stored(all), bytes);
});

for (const method of ['PATCH', 'PUT']) {
  for (const after of [1, 33_000, CHUNK / 2 - 1]) {
    test(`an upload whose ${method} breaks ${after} bytes within its chunk ends well`, async (t) => {
      const all = await setting(t);
      const { client, proxy, bytes, digest } = all;
      const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
      let broken = false;
      proxy.fault = (seen) => {
        if (broken || seen.method !== method) return undefined;
        broken = true;
        return { kind: 'cut-upload', after };
      };
      await send(writer, digest, () => pieces(bytes));
      t.true(broken);
      sameBytes(t, await stored(all), bytes);
    });
  }
}

test('a registry that keeps what has arrived of a chunk is sent the rest of it alone', async (t) => {
  const registry = await startKeepingRegistry();
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.close();
  });
  const bytes = randomBytes(450_000);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const writer = await openWriter(makeClient(t, await makeHome(t)), ref(proxy.host, 'a/b'), { chunkSize: 200_000 });
  const broken = new Set<string>();
  proxy.fault = ({ method }) => {
    if (broken.has(method)) return undefined;
    broken.add(method);
    return method === 'PATCH' || method === 'PUT' ? { kind: 'cut-upload', after: 30_000 } : undefined;
  };
  const upload = await writer.beginBlob();
  for await (const piece of pieces(bytes)) await upload.write(piece);
  await upload.commit(digest);
  sameBytes(t, registry.blobs.get(digest) ?? Buffer.alloc(0), bytes);
  t.is(registry.received, bytes.length);
});

test('an upload whose answers are lost or late is completed', async (t) => {
  const all = await setting(t);
  const { client, proxy, bytes, digest } = all;
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
  const broken = new Set<string>();
  proxy.fault = ({ method }) => {
    if (broken.has(method) || method === 'POST') return undefined;
    broken.add(method);
    return method === 'PUT' ? { kind: 'reset', after: 0 } : { kind: 'status', status: 503 };
  };
  await send(writer, digest, () => pieces(bytes));
  t.deepEqual([...broken].sort(), ['GET', 'PATCH', 'PUT']);
  sameBytes(t, await stored(all), bytes);
});

test('bytes that do not match their digest are refused, and nothing is stored', async (t) => {
  const all = await setting(t);
  const { client, proxy, bytes } = all;
  const digest = `sha256:${'0'.repeat(64)}`;
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
  await rejects(t, 'CRFS_DIGEST', async () => await send(writer, digest, () => pieces(bytes)));
  t.false(await writer.hasBlob(digest));
});

test('a registry that fails all the time ends an upload with an error', async (t) => {
  const { client, proxy, bytes, digest } = await setting(t);
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
  proxy.fault = ({ method }) => (method === 'POST' ? undefined : { kind: 'status', status: 500 });
  await rejects(t, 'CRFS_UNREACHABLE', async () => await send(writer, digest, () => pieces(bytes)));
  t.true(proxy.seen.length < 30);
});

test('a blob is mounted from another repository instead of being sent', async (t) => {
  const { client, proxy, bytes, digest } = await setting(t);
  const first = await openWriter(client, ref(proxy.host, 'a/b'));
  await send(first, digest, () => pieces(bytes));
  const second = await openWriter(client, ref(proxy.host, 'c/d'));
  t.false(await second.hasBlob(digest));
  t.true(await second.mountBlob(digest, 'a/b'));
  t.true(await second.hasBlob(digest));
  t.false(await second.mountBlob(`sha256:${'1'.repeat(64)}`, 'a/b'));
});

test('a manifest is written under a tag and under its digest', async (t) => {
  const { client, proxy, bytes, digest } = await setting(t, 100);
  const name = ref(proxy.host, 'a/b', { tag: 'new' });
  const writer = await openWriter(client, name);
  await send(writer, digest, () => pieces(bytes));
  const blob = { mediaType: 'application/octet-stream', digest, size: bytes.length };
  for (const tag of ['new', undefined]) {
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: blob, layers: [blob], annotations: { tag } }),
    );
    const written = await writer.putManifest(OCI_MANIFEST, manifest, tag);
    const read = await client.getManifest(ref(proxy.host, 'a/b', tag === undefined ? { digest: written } : { tag }));
    sameBytes(t, read.bytes, manifest);
  }
});

test('with tokens, pushing asks for push, and a mount for both repositories', async (t) => {
  const certificates = await makeCertificates();
  const tokens = await startTokenServer(certificates.ca);
  const registry = await startRegistry({ auth: tokens.auth });
  t.teardown(async () => {
    await registry.stop();
    await tokens.close();
    await certificates.remove();
  });
  const home = await makeHome(t);
  await logIn(home, registry.host);
  const client = makeClient(t, home);
  const bytes = randomBytes(10);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const first = await openWriter(client, ref(registry.host, 'a/b'));
  await send(first, digest, () => pieces(bytes));
  const second = await openWriter(client, ref(registry.host, 'c/d'));
  t.true(await second.mountBlob(digest, 'a/b'));
  t.deepEqual(
    tokens.seen.map(({ scopes }) => scopes),
    [['repository:a/b:pull,push'], ['repository:c/d:pull,push', 'repository:a/b:pull']],
  );
});
