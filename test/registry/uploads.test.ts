// SPDX-License-Identifier: GPL-3.0-or-later

/** What registries of all kinds answer to uploads: none of it may end one that can be brought to its end. */

import { createHash, randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { readBlob } from '../../src/main/blob/digest.js';
import { writeBlob } from '../../src/main/images/write-blob.js';
import { openBlob } from '../../src/main/registry/blob-source.js';
import { OCI_MANIFEST } from '../../src/main/registry/manifest.js';
import { type ImageWriter, openWriter } from '../../src/main/registry/writer.js';
import { sameBytes } from '../tools/bytes.js';
import { type Fault, type FaultProxy, type Seen, startFaultProxy } from '../tools/fault-proxy.js';
import { PASSWORD, startRegistry, USER } from '../tools/registry.js';
import { startKeepingRegistry } from '../tools/registry-keeping.js';
import { makeClient, makeHome, ref, rejects, send, registryTest as test } from './setting.js';

const CHUNK = 400_000;
const SIZE = 900_000;

interface Setting {
  readonly registry: string;
  readonly proxy: FaultProxy;
  readonly digest: string;
  readonly writer: ImageWriter;
  /** A writer of another repository. */
  readonly open: (repository: string) => Promise<ImageWriter>;
  readonly upload: () => Promise<void>;
  /** What the registry has under the digest. */
  readonly isStored: () => Promise<boolean>;
}

async function setting(t: ExecutionContext, size = SIZE): Promise<Setting> {
  const registry = await startRegistry();
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.stop();
  });
  const client = makeClient(t, await makeHome(t), { login: { kind: 'basic', username: USER, password: PASSWORD } });
  const bytes = randomBytes(size);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const open = async (repository: string): Promise<ImageWriter> =>
    await openWriter(client, ref(proxy.host, repository), { chunkSize: CHUNK });
  const writer = await open('a/b');
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
  }
  return {
    registry: registry.url,
    proxy,
    digest,
    writer,
    open,
    upload: async () => await send(writer, digest, pieces),
    isStored: async () => {
      const blob = ref(registry.host, 'a/b');
      return (await readBlob(await openBlob(client, blob, { digest, size }), { digest, size }, size)).equals(bytes);
    },
  };
}

function has(seen: readonly Seen[], method: string): number {
  return seen.filter((one) => one.method === method).length;
}

const SAID = JSON.stringify({ errors: [{ code: 'TOO_LARGE', message: 'the limit is\u001b[31m 100 kB' }] });

/** Refuses bodies above a limit. */
function capped(limit: number, status: number): (seen: Seen) => Fault | undefined {
  return ({ headers }) =>
    Number(headers['content-length'] ?? 0) > limit ? { kind: 'status', status, body: SAID } : undefined;
}

for (const status of [413, 416]) {
  for (const size of [150_000, SIZE]) {
    test(`${size} bytes reach a registry that answers ${status} to more than 100 kB at once, which is learnt once`, async (t) => {
      const { proxy, upload, isStored, writer } = await setting(t, size);
      proxy.fault = capped(100_000, status);
      await upload();
      t.true(await isStored());
      proxy.reset();
      const other = randomBytes(SIZE);
      const digest = `sha256:${createHash('sha256').update(other).digest('hex')}`;
      await send(writer, digest, async function* () {
        yield other;
      });
      t.true(proxy.seen.every(({ headers }) => Number(headers['content-length'] ?? 0) <= 100_000));
    });
  }

  test(`a registry that answers ${status} to chunks of any size is shown with what it says`, async (t) => {
    const { proxy, upload } = await setting(t);
    proxy.fault = capped(0, status);
    const { message } = await rejects(t, 'CRFS_UNREACHABLE', upload);
    t.true(message.endsWith(`answered ${status}: TOO_LARGE the limit is [31m 100 kB`), message);
    t.true(has(proxy.seen, 'PATCH') <= 4);
  });
}

test('where the way to a registry breaks off large bodies, smaller ones are sent', async (t) => {
  const { proxy, upload, isStored } = await setting(t);
  proxy.fault = ({ headers }) =>
    Number(headers['content-length'] ?? 0) > 150_000 ? { kind: 'cut-upload', after: 0 } : undefined;
  await upload();
  t.true(await isStored());
});

for (const range of ['0-399999', '0-99999', '0-400000', '0-0', '', 'bytes=0-5', 'nonsense', '5-9', '0-99999999']) {
  test(`a Range of '${range}' in answers to chunks is no more than a hint`, async (t) => {
    const { proxy, upload, isStored } = await setting(t);
    proxy.fault = ({ method }) => (method === 'PATCH' ? { kind: 'headers', headers: { range } } : undefined);
    await upload();
    t.true(await isStored());
    t.is(has(proxy.seen, 'POST'), 1);
  });
}

for (const range of ['0-99999', '0-399999', '0-599999', '0-799999', '0-899999', '', 'nonsense']) {
  test(`a Range of '${range}' after a chunk that failed does not end the upload`, async (t) => {
    const { proxy, upload, isStored } = await setting(t);
    let patches = 0;
    proxy.fault = ({ method }) => {
      if (method === 'PATCH' && patches++ === 1) return { kind: 'status', status: 503 };
      return method === 'GET' ? { kind: 'headers', headers: { range } } : undefined;
    };
    await upload();
    proxy.fault = () => undefined;
    t.true(await isStored());
  });
}

for (const [failing, range] of [
  [0, '0-0'],
  [1, '0-0'],
  [1, '0-99999'],
  [1, '0-399999'],
] as const) {
  test(`a Range of '${range}' after chunk ${failing + 1} failed takes nothing back, and needs no other upload`, async (t) => {
    const { proxy, upload, isStored } = await setting(t);
    let patches = 0;
    proxy.fault = ({ method }) => {
      if (method === 'PATCH' && patches++ === failing) return { kind: 'status', status: 503 };
      return method === 'GET' ? { kind: 'headers', headers: { range } } : undefined;
    };
    await upload();
    t.is(has(proxy.seen, 'POST'), 1);
    proxy.fault = () => undefined;
    t.true(await isStored());
  });
}

for (const [method, statuses] of [
  ['POST', [200, 201, 204]],
  ['PATCH', [200, 201, 204]],
  ['PUT', [200, 202, 204]],
] as const) {
  for (const status of statuses) {
    test(`${status} in answer to a ${method} of a blob is a success`, async (t) => {
      const { proxy, upload, isStored } = await setting(t);
      proxy.fault = (seen) => (seen.method === method ? { kind: 'headers', headers: {}, status } : undefined);
      await upload();
      t.true(await isStored());
    });
  }
}

for (const status of [200, 202, 204]) {
  test(`${status} in answer to a manifest is a success`, async (t) => {
    const { proxy, upload, writer, digest } = await setting(t);
    await upload();
    proxy.fault = ({ method }) => (method === 'PUT' ? { kind: 'headers', headers: {}, status } : undefined);
    const blob = { mediaType: 'application/x', digest, size: SIZE };
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config: blob, layers: [blob] }));
    t.is(await writer.putManifest(OCI_MANIFEST, manifest, 'one'), await writer.putManifest(OCI_MANIFEST, manifest));
  });
}

for (const status of [400, 401, 403, 404, 405, 409, 422, 500, 501]) {
  test(`a mount that is answered with ${status} is none, and no error`, async (t) => {
    const { proxy, upload, open, digest } = await setting(t);
    await upload();
    proxy.fault = ({ path }) => (path.includes('mount=') ? { kind: 'status', status } : undefined);
    const other = await open('c/d');
    t.false(await other.mountBlob(digest, 'a/b'));
    proxy.fault = () => undefined;
    t.true(await other.mountBlob(digest, 'a/b'));
  });
}

for (const status of [400, 401, 403, 405, 500, 501]) {
  test(`where HEAD is answered with ${status}, the first byte of a blob tells that it is there`, async (t) => {
    const { proxy, upload, writer, digest } = await setting(t);
    await upload();
    proxy.fault = ({ method }) => (method === 'HEAD' ? { kind: 'status', status } : undefined);
    t.is(await writer.hasBlob(digest), status !== 401); // which is the registry's last word
    t.false(await writer.hasBlob(`sha256:${'0'.repeat(64)}`));
    proxy.fault = ({ path }) => (path.includes(digest) ? { kind: 'status', status } : undefined);
    t.false(await writer.hasBlob(digest));
  });

  test(`where HEAD is redirected to a store that answers ${status} to it, the blob is there nevertheless`, async (t) => {
    const { proxy, upload, writer, digest } = await setting(t);
    await upload();
    proxy.fault = ({ path }) => (path.includes(digest) ? { kind: 'redirect' } : undefined);
    proxy.storeFault = ({ method }) => (method === 'HEAD' ? { kind: 'status', status } : undefined);
    t.true(await writer.hasBlob(digest));
  });
}

for (const [what, fault] of [
  ['is not known any more', { kind: 'status', status: 404 }],
  [
    'is not valid any more',
    { kind: 'status', status: 400, body: JSON.stringify({ errors: [{ code: 'BLOB_UPLOAD_INVALID' }] }) },
  ],
  ['is gone', { kind: 'status', status: 410 }],
] as const) {
  for (const method of ['PATCH', 'PUT']) {
    test(`an upload that ${what} at a ${method} is started anew`, async (t) => {
      const { proxy, upload, isStored } = await setting(t);
      let seen = 0;
      proxy.fault = (request) => (request.method === method && seen++ === 0 ? fault : undefined);
      await upload();
      t.true(await isStored());
      t.is(has(proxy.seen, 'POST'), 2);
    });
  }
}

test('an upload that cannot be asked about after a chunk failed is started anew', async (t) => {
  const { proxy, upload, isStored } = await setting(t);
  let patches = 0;
  proxy.fault = ({ method }) => {
    if (method === 'PATCH' && patches++ === 1) return { kind: 'status', status: 503 };
    return method === 'GET' ? { kind: 'status', status: 405 } : undefined;
  };
  await upload();
  proxy.fault = () => undefined;
  t.true(await isStored());
  t.is(has(proxy.seen, 'POST'), 2);
});

test('an upload that always expires ends with what the registry says', async (t) => {
  const { proxy, upload } = await setting(t);
  const body = JSON.stringify({ errors: [{ code: 'BLOB_UPLOAD_UNKNOWN', message: 'who?' }] });
  proxy.fault = ({ method }) => (method === 'PATCH' ? { kind: 'status', status: 404, body } : undefined);
  const { message } = await rejects(t, 'CRFS_NOT_FOUND', upload);
  t.regex(message, /BLOB_UPLOAD_UNKNOWN who\?$/);
  t.is(has(proxy.seen, 'POST'), 3);
});

test('an upload goes where the registry says, with its query as it is, and no credentials reach another host', async (t) => {
  const { registry, proxy, upload, isStored } = await setting(t);
  const other = await startFaultProxy({ upstream: registry });
  t.teardown(async () => await other.close());
  const challenge = { kind: 'status', status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } } as const;
  const begun = await fetch(`${registry}/v2/a/b/blobs/uploads/`, { method: 'POST' });
  const { pathname, search } = new URL(begun.headers.get('location') ?? '');
  const location = `${other.url}${pathname}${search}&signature=a%2Bb~*(c)+d%20e`;
  proxy.fault = ({ method, headers }) => {
    if (headers.authorization === undefined) return challenge;
    return method === 'POST' ? { kind: 'status', status: 202, headers: { location } } : undefined;
  };
  await upload();
  t.true(await isStored());
  t.true(proxy.seen.some(({ headers }) => headers.authorization !== undefined));
  t.true(other.seen.length > 0);
  t.true(other.seen.every(({ headers }) => headers.authorization === undefined));
  t.true(other.seen.some(({ path }) => path.includes('&signature=a%2Bb~*(c)+d%20e')));
});

test('chunks are as large as the registry wants them at least, but for the last', async (t) => {
  const { proxy, upload, isStored } = await setting(t);
  const headers = { 'oci-chunk-min-length': '500000' };
  proxy.fault = ({ method }) => (method === 'POST' ? { kind: 'headers', headers } : undefined);
  await upload();
  t.true(await isStored());
  const sent = proxy.seen.filter(({ method }) => method === 'PATCH' || method === 'PUT');
  t.deepEqual(
    sent.map((seen) => Number(seen.headers['content-length'] ?? 0)),
    [500_000, 400_000],
  );
  proxy.fault = ({ method }) =>
    method === 'POST' ? { kind: 'headers', headers: { 'oci-chunk-min-length': '999999999' } } : undefined;
  await rejects(t, 'CRFS_UNREACHABLE', upload);
});

test('an upload that is interrupted is cancelled at the registry', async (t) => {
  const { proxy } = await setting(t);
  const interrupted = new AbortController();
  const client = makeClient(t, await makeHome(t));
  const options = { chunkSize: CHUNK, cancelWithin: 240_000, signal: interrupted.signal };
  const writer = await openWriter(client, ref(proxy.host, 'a/b'), options);
  const upload = writeBlob(
    () => writer.beginBlob(),
    async (sink) => {
      await sink.write(randomBytes(CHUNK));
      interrupted.abort();
      await sink.write(randomBytes(CHUNK));
      return { digest: '' };
    },
  );
  await t.throwsAsync(upload, { any: true, name: 'AbortError' });
  t.is(has(proxy.seen, 'DELETE'), 1);
});

test('an upload whose place is named without a host, and at the start alone, goes on there', async (t) => {
  const registry = await startKeepingRegistry();
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.close();
  });
  proxy.fault = ({ method }) => (method === 'PATCH' ? { kind: 'headers', headers: { location: '' } } : undefined);
  const bytes = randomBytes(SIZE);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const writer = await openWriter(makeClient(t, await makeHome(t)), ref(proxy.host, 'a/b'), { chunkSize: CHUNK });
  await send(writer, digest, async function* () {
    yield bytes;
  });
  sameBytes(t, registry.blobs.get(digest) ?? Buffer.alloc(0), bytes);
});
