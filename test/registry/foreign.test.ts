// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers that their registry does not hold, but says where they are. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { openBlob } from '../../src/main/registry/blob-source.js';
import { foreignUrls } from '../../src/main/registry/foreign.js';
import type { Descriptor } from '../../src/main/registry/types.js';
import { noise } from '../tools/content.js';
import { sha256 } from '../tools/read-layer.js';
import { startRegistry } from '../tools/registry.js';
import { logIn, makeClient, makeHome, ref, rejects, registryTest as test } from './setting.js';

const content = noise(100_000);
const TYPES = {
  docker: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  oci: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  ordinary: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

interface Seen {
  readonly path: string | undefined;
  readonly authorization: string | undefined;
}

/** A server of the content at /layer, and of nothing else. */
async function startServer(t: ExecutionContext): Promise<{ readonly url: string; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(({ url, headers }, response) => {
    seen.push({ path: url, authorization: headers.authorization });
    response.statusCode = url === '/layer' ? 200 : 404;
    response.end(url === '/layer' ? content : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function setting(t: ExecutionContext) {
  const [{ url, seen }, registry, home] = await Promise.all([startServer(t), startRegistry(), makeHome(t)]);
  t.teardown(() => registry.stop());
  await logIn(home, new URL(url).host);
  const client = makeClient(t, home);
  const read = async (mediaType: string, urls: readonly string[]): Promise<Uint8Array> => {
    const layer: Descriptor = { mediaType, digest: sha256(content), size: content.length, annotations: {}, urls };
    const blob = await openBlob(client, ref(registry.host, 'a/b'), layer);
    t.teardown(() => blob.close());
    return await blob.read(0, blob.size);
  };
  return { url, seen, read };
}

for (const what of ['docker', 'oci'] as const) {
  test(`a layer that may not be handed on is had from where its descriptor says: ${what}`, async (t) => {
    const { url, seen, read } = await setting(t);
    t.deepEqual(
      Buffer.from(await read(TYPES[what], ['nonsense', 'file:///etc/passwd', `${url}/none`, `${url}/layer`])),
      content,
    );
    t.deepEqual(seen[0], { path: '/none', authorization: undefined });
    t.true(seen.every(({ authorization }) => authorization === undefined));
  });
}

test('an ordinary layer is had from its registry alone', async (t) => {
  const { url, seen, read } = await setting(t);
  await rejects(t, 'CRFS_NOT_FOUND', async () => await read(TYPES.ordinary, [`${url}/layer`]));
  t.deepEqual(seen, []);
});

test('a layer that is nowhere is told of in a line', async (t) => {
  const { url, read } = await setting(t);
  const { message } = await rejects(t, 'CRFS_NOT_FOUND', async () => await read(TYPES.oci, [`${url}/none`]));
  t.true(message.includes(`${url}/none`), message);
});

test('without TLS a layer is had only from near, or where its registry does without', (t) => {
  const urls = ['http://example.com/a', 'https://example.com/b', 'http://localhost/c', 'https://me:pw@example.com/d'];
  const taken = (insecure: boolean) =>
    foreignUrls({ mediaType: TYPES.oci, urls }, insecure).map(({ pathname }) => pathname);
  t.deepEqual(taken(false), ['/b', '/c']);
  t.deepEqual(taken(true), ['/a', '/b', '/c']);
});
