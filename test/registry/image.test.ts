// SPDX-License-Identifier: GPL-3.0-or-later

import type { ExecutionContext } from 'ava';
import { digestOf } from '../../src/main/blob/digest.js';
import type { RegistryClient } from '../../src/main/registry/client.js';
import { resolveImage } from '../../src/main/registry/image.js';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/main/registry/manifest.js';
import { formatPlatform, machinePlatform, parsePlatform } from '../../src/main/registry/platform.js';
import type { ManifestStore } from '../../src/main/registry/types.js';
import { openWriter } from '../../src/main/registry/writer.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { startRegistry } from '../tools/registry.js';
import { type Home, makeClient, makeHome, ref, rejects, send, registryTest as test } from './setting.js';

interface Setting {
  readonly client: RegistryClient;
  readonly proxy: FaultProxy;
  readonly home: Home;
  /** Writes an image whose layers have this content and these annotations; returns its descriptor. */
  readonly put: (tag: string | undefined, layers: readonly Layer[]) => Promise<Record<string, unknown>>;
}

interface Layer {
  readonly text: string;
  readonly annotations?: Record<string, string>;
}

async function setting(t: ExecutionContext): Promise<Setting> {
  const registry = await startRegistry();
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.stop();
  });
  const home = await makeHome(t);
  const client = makeClient(t, home);
  const writer = await openWriter(client, ref(proxy.host, 'a/b'));
  const put: Setting['put'] = async (tag, layers) => {
    const described = [];
    for (const { text, annotations = {} } of [{ text: '{}' }, ...layers]) {
      const bytes = Buffer.from(text);
      const blob = { digest: digestOf(bytes), size: bytes.length };
      await send(writer, blob.digest, async function* () {
        yield bytes;
      });
      described.push({ mediaType: 'application/x', ...blob, annotations });
    }
    const [config, ...rest] = described;
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: rest }));
    const digest = await writer.putManifest(OCI_MANIFEST, bytes, tag);
    proxy.reset();
    return { mediaType: OCI_MANIFEST, digest, size: bytes.length };
  };
  return { client, proxy, home, put };
}

test('an image resolves by one request, whatever the number of its layers, and to the same image again', async (t) => {
  const { client, proxy, put } = await setting(t);
  const texts = Array.from({ length: 30 }, (_, number) => `layer ${number}`);
  const { digest } = await put(
    'one',
    texts.map((text) => ({ text })),
  );
  const image = await resolveImage(client, `docker://${proxy.host}/a/b:one`);
  t.is(proxy.seen.length, 1);
  t.is(image.resolved, `docker://${proxy.host}/a/b@${digest as string}`);
  const sources = await Promise.all(image.layers.map(async (layer) => await layer.open()));
  const read = await Promise.all(
    sources.map(async (source) => Buffer.from(await source.read(0, source.size)).toString()),
  );
  t.deepEqual(read, texts);
  t.is((await resolveImage(client, image.resolved)).manifest.digest, image.manifest.digest);
});

test('what is kept is not asked for again, and needs no registry', async (t) => {
  const { client, proxy, put } = await setting(t);
  await put('one', [{ text: 'x' }]);
  const kept = new Map<string, Uint8Array>();
  const store: ManifestStore = {
    get: async (digest) => kept.get(digest),
    put: async (digest, bytes) => void kept.set(digest, bytes),
  };
  const { resolved } = await resolveImage(client, `${proxy.host}/a/b:one`, { store });
  proxy.fault = () => ({ kind: 'reset', after: 0 });
  t.is((await resolveImage(client, resolved, { store })).layers.length, 1);
  await rejects(t, 'CRFS_UNREACHABLE', async () => await resolveImage(client, `${proxy.host}/a/b:one`, { store }));
});

test('of an index the image for this machine is taken, or for the platform asked for', async (t) => {
  const { client, proxy, put } = await setting(t);
  const mine = { ...(await put(undefined, [{ text: 'mine' }])), platform: machinePlatform() };
  const other = { ...(await put(undefined, [{ text: 'other' }])), platform: { os: 'linux', architecture: 'sparc' } };
  const writer = await openWriter(client, ref(proxy.host, 'a/b'));
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [other, mine] }));
  await writer.putManifest(OCI_INDEX, index, 'many');
  const name = `${proxy.host}/a/b:many`;
  t.is((await resolveImage(client, name)).manifest.digest, (mine as unknown as { digest: string }).digest);
  const platform = parsePlatform('linux/sparc');
  t.is(
    (await resolveImage(client, name, { platform })).manifest.digest,
    (other as unknown as { digest: string }).digest,
  );
  const error = await rejects(
    t,
    'CRFS_NOT_FOUND',
    async () => await resolveImage(client, name, { platform: parsePlatform('linux/vax') }),
  );
  t.true(error.message.includes(formatPlatform(machinePlatform())));
});

test('indexes may name indexes, but not without end, and sizes hold', async (t) => {
  const { client, proxy, put } = await setting(t);
  const writer = await openWriter(client, ref(proxy.host, 'a/b'));
  const platform = machinePlatform();
  const indexOf = async (entry: Record<string, unknown>, tag: string): Promise<Record<string, unknown>> => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ ...entry, platform }] }));
    return { mediaType: OCI_INDEX, digest: await writer.putManifest(OCI_INDEX, bytes, tag), size: bytes.length };
  };
  const image = await put(undefined, [{ text: 'layer' }]);
  let entry = image;
  for (const tag of ['one', 'two', 'three', 'four']) entry = await indexOf(entry, tag);
  t.is((await client.getManifest(ref(proxy.host, 'a/b', { tag: 'three' }))).digest, String(image['digest']));
  const { message } = await rejects(t, 'CRFS_BAD_LAYER', async () => {
    await client.getManifest(ref(proxy.host, 'a/b', { tag: 'four' }));
  });
  t.regex(message, /more than 3 indexes within each other$/);
  for (const more of [1, -1]) {
    await indexOf({ ...image, size: Number(image['size']) + more }, 'wrong');
    await rejects(t, 'CRFS_DIGEST', async () => await client.getManifest(ref(proxy.host, 'a/b', { tag: 'wrong' })));
  }
});

test('a short name is found in the first search registry that has it', async (t) => {
  const { client, proxy, home, put } = await setting(t);
  await put('one', [{ text: 'x' }]);
  await home.write(
    'etc/containers/registries.conf',
    `unqualified-search-registries = ["127.0.0.1:1", "${proxy.host}"]`,
  );
  t.is((await resolveImage(client, 'a/b:one')).layers.length, 1);
  const error = await rejects(t, 'CRFS_NOT_FOUND', async () => await resolveImage(client, 'a/b:none'));
  t.true(error.message.includes('127.0.0.1:1/') && error.message.includes(proxy.host));
});

test("a layer's TOC digest comes with it, and one that is broken is refused", async (t) => {
  const { client, proxy, put } = await setting(t);
  const toc = digestOf(Buffer.from('toc'));
  await put('good', [{ text: 'a', annotations: { 'containerd.io/snapshot/stargz/toc.digest': toc } }, { text: 'b' }]);
  const { layers } = await resolveImage(client, `${proxy.host}/a/b:good`);
  t.deepEqual(
    layers.map(({ tocDigest }) => tocDigest),
    [toc, undefined],
  );
  await put('bad', [{ text: 'a', annotations: { 'containerd.io/snapshot/stargz/toc.digest': 'sha256:../x' } }]);
  await rejects(t, 'CRFS_BAD_LAYER', async () => await resolveImage(client, `${proxy.host}/a/b:bad`));
});

function tocOf(layer: string): Layer {
  const annotations = { 'containerd.io/snapshot/stargz/layer.digest': digestOf(Buffer.from(layer)) };
  return { text: `toc of ${layer}`, annotations };
}

test('a TOC kept elsewhere is found by the digest of its layer, with one request for all', async (t) => {
  const { client, proxy, put } = await setting(t);
  await put('one', [{ text: 'first' }, { text: 'second' }]);
  await put('one-esgztoc', [tocOf('second'), tocOf('first')]);
  const image = await resolveImage(client, `${proxy.host}/a/b:one`);
  proxy.reset();
  const tocs = await Promise.all(image.layers.map(async ({ digest }) => await image.externalToc(digest)));
  t.is(proxy.seen.length, 1);
  const texts = await Promise.all(
    tocs.map(async (toc) => Buffer.from((await toc?.read(0, toc.size)) ?? []).toString()),
  );
  t.deepEqual(texts, ['toc of first', 'toc of second']);
  t.is(await image.externalToc(`sha256:${'0'.repeat(64)}`), undefined);
});

test('an image without TOCs elsewhere has none', async (t) => {
  const { client, proxy, put } = await setting(t);
  await put('one', [{ text: 'x' }]);
  const image = await resolveImage(client, `${proxy.host}/a/b:one`);
  t.is(await image.externalToc(image.layers[0]?.digest ?? ''), undefined);
});
