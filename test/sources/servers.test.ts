// SPDX-License-Identifier: GPL-3.0-or-later

/** What servers of all kinds answer to ranges: read on where the bytes are sure, end in bounded time where they are not. */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { StreamSource } from '../../src/main/blob/source.js';
import { CrfsError, type ErrorCode } from '../../src/main/errors/error.js';
import { RangeSource } from '../../src/main/http/range-source.js';
import { Transport } from '../../src/main/http/transport.js';
import { openHttpSource } from '../../src/main/sources/http.js';
import { sameBytes } from '../tools/bytes.js';
import { type QuirkyAnswer, startQuirkyServer } from '../tools/quirky-server.js';

const content = randomBytes(300_003);
const hasty = { attempts: 4, first: 1, longest: 2, total: 1_800_000 };
const OLD = 'Wed, 21 Oct 2015 07:28:00 GMT';

interface Setting {
  /** Opens it as a URL, whose bytes may change. */
  readonly open: () => Promise<StreamSource>;
  /** As a blob of known size and digest. */
  readonly blob: (size?: number) => StreamSource;
  /** The ranges that were asked for. */
  readonly asked: readonly (string | undefined)[];
}

/** A server that answers with the content, changed by `quirk`: `number` counts requests from 0, `last` is behind the range. */
async function setting(
  t: ExecutionContext,
  quirk: (range: readonly [first: number, end: number] | undefined, number: number) => QuirkyAnswer,
): Promise<Setting> {
  const server = await startQuirkyServer(content, quirk);
  const transport = new Transport({ stall: 240_000 });
  const spool = await mkdtemp(join(tmpdir(), 'crfs-spool-'));
  t.teardown(async () => {
    await transport.close();
    await server.close();
    await rm(spool, { recursive: true });
  });
  const url = new URL(`${server.url}/layer`);
  const shared = { policy: hasty, spool };
  const get: ConstructorParameters<typeof RangeSource>[0]['get'] = async (headers, signal) =>
    await transport.send({ method: 'GET', url, headers, signal });
  return {
    open: async () => await openHttpSource(url.href, { transport, ...shared }),
    blob: (size = content.length) => new RangeSource({ name: 'it', get, size, mutable: false, ...shared }),
    asked: server.asked,
  };
}

async function rejects(t: ExecutionContext, code: ErrorCode, action: () => Promise<unknown>): Promise<CrfsError> {
  const error = await t.throwsAsync(action, { instanceOf: CrfsError });
  t.is(error?.code, code, error?.message);
  return error;
}

async function isRight(t: ExecutionContext, source: StreamSource): Promise<void> {
  sameBytes(t, await source.read(1000, 200_000), content.subarray(1000, 201_000));
  sameBytes(t, await source.read(0, source.size), content);
  await source.close();
}

for (const status of [400, 403, 405, 416, 501]) {
  test(`a server that answers ${status} to any range is asked once without, and all of it kept`, async (t) => {
    const { open, blob, asked } = await setting(t, (range) => (range ? { status, body: Buffer.from('no') } : {}));
    await isRight(t, await open());
    t.deepEqual(asked, ['bytes=0-0', undefined]);
    const source = blob();
    await Promise.all([isRight(t, source), source.read(5, 5)]);
    t.is(asked.filter((range) => range === undefined).length, 2);
  });

  test(`a ${status} from a server that knows ranges is its answer`, async (t) => {
    const { blob, asked } = await setting(t, (_, number) => (number === 0 ? {} : { status }));
    const source = blob();
    await source.read(0, 10);
    await t.throwsAsync(async () => await source.read(10, 10), { instanceOf: CrfsError });
    t.is(asked.length, 2);
  });

  test(`a server that answers ${status} to everything is not asked a third time`, async (t) => {
    const { blob, asked } = await setting(t, () => ({ status, body: Buffer.from('{"errors":[{"message":"nope"}]}') }));
    const source = blob();
    const error = await t.throwsAsync(async () => await source.read(0, 10), { instanceOf: CrfsError });
    t.regex(error?.message ?? '', new RegExp(`answered ${status}: nope$`));
    t.is(asked.length, 2);
  });
}

for (const range of ['', 'bytes 0-0/*', 'bytes=0-9/10', 'items 0-9/300003']) {
  test(`a server whose first Content-Range is '${range}' is asked without a range`, async (t) => {
    const { open } = await setting(t, (asked) => (asked ? { headers: { 'content-range': range } } : {}));
    await isRight(t, await open());
  });
}

for (const encoding of ['gzip', 'x-gzip', 'identity', 'aws-chunked', 'gzip,aws-chunked', 'br']) {
  for (const whole of [false, true]) {
    test(`Content-Encoding ${encoding} on ${whole ? 'all of' : 'ranges of'} a stored blob says nothing of its bytes`, async (t) => {
      const { open, blob } = await setting(t, () => ({ headers: { 'content-encoding': encoding }, whole }));
      await isRight(t, await open());
      await isRight(t, blob());
    });
  }
}

test('a range under status 200 is a range, if its length says so, too', async (t) => {
  const { open, asked } = await setting(t, (range) => ({ ...(range && { status: 200 }) }));
  await isRight(t, await open());
  t.is(asked.length, 3);
  const whole = await setting(t, () => ({ whole: true, headers: { 'content-range': 'bytes 0-0/300003' } }));
  await isRight(t, await whole.open());
});

test('a server that does encode is told by the size', async (t) => {
  const other = randomBytes(200_000);
  const headers = { 'content-encoding': 'gzip' };
  for (const length of [true, false]) {
    const { blob } = await setting(t, () => ({ whole: true, headers, body: other, chunked: !length }));
    const { message } = await rejects(t, length ? 'CRFS_BAD_LAYER' : 'CRFS_UNREACHABLE', async () => {
      await blob().read(0, content.length);
    });
    t.regex(message, length ? /should have 300003 bytes, but has 200000 bytes/ : /encoded: gzip/);
  }
});

test('a server that sends less than asked for is asked for the rest', async (t) => {
  const { open, asked } = await setting(t, (range) => ({
    ...(range && { end: Math.min(range[1], range[0] + 70_000) }),
  }));
  const source = await open();
  sameBytes(t, await source.read(0, 200_000), content.subarray(0, 200_000));
  t.deepEqual(asked.slice(1), ['bytes=0-199999', 'bytes=70000-199999', 'bytes=140000-199999']);
});

test('where the host that a redirect led to is gone, the place itself is asked again', async (t) => {
  const store = await startQuirkyServer(content, () => ({}));
  let isMoved = true;
  const headers = { location: `${store.url}/layer` };
  const { open, asked } = await setting(t, () => (isMoved ? { status: 302, headers } : {}));
  const source = await open();
  await source.read(0, 10);
  t.deepEqual([asked.length, store.asked.length], [1, 2]);
  await store.close();
  isMoved = false;
  t.deepEqual(Buffer.from(await source.read(10, 10)), content.subarray(10, 20));
  t.is(asked.length, 2);
});

test('a server that sends a byte at once, whole or broken off, comes to an end', async (t) => {
  for (const breaks of [false, true]) {
    const { blob, asked } = await setting(t, (range, number) => {
      const [first = 0, end = 0] = range ?? [];
      if (number >= 50) return { status: 404 };
      return breaks ? { cut: 1 } : { end: Math.min(end, first + 1) };
    });
    await rejects(t, 'CRFS_UNREACHABLE', async () => await blob().read(0, 200_000));
    t.is(asked.length, hasty.attempts);
  }
});

for (const [what, range] of [
  ['begins later', 'bytes 1-9/300003'],
  ['begins later, as long as asked for', 'bytes 1-10/300003'],
  ['ends later', 'bytes 0-10/300003'],
] as const) {
  test(`a range that ${what} is refused`, async (t) => {
    const { blob } = await setting(t, () => ({ headers: { 'content-range': range } }));
    await rejects(t, 'CRFS_UNREACHABLE', async () => await blob().read(0, 10));
  });
}

test('a byte more than Content-Range says is refused', async (t) => {
  const { blob } = await setting(t, () => ({ more: 1 }));
  await rejects(t, 'CRFS_UNREACHABLE', async () => await blob().read(0, 10));
});

for (const [what, code, first, then] of [
  [
    'ETags of two nodes, and one old time',
    undefined,
    { etag: '"a"', 'last-modified': OLD },
    { etag: '"b"', 'last-modified': OLD },
  ],
  ['a weak and a strong ETag', undefined, { etag: '"a"' }, { etag: 'W/"a"' }],
  ['the ETag of an encoded form', undefined, { etag: '"a"' }, { etag: '"a-gzip"' }],
  [
    'an ETag at first, and then the same old time alone',
    undefined,
    { etag: '"a"', 'last-modified': OLD },
    { 'last-modified': OLD },
  ],
  ['nothing at first', undefined, {}, { etag: '"a"' }],
  ['two ETags', 'CRFS_NOT_FOUND', { etag: '"a"' }, { etag: '"b"' }],
  ['two times', 'CRFS_NOT_FOUND', { 'last-modified': OLD }, { 'last-modified': 'Wed, 21 Oct 2015 07:28:01 GMT' }],
  [
    'two ETags, and a time of just now',
    'CRFS_NOT_FOUND',
    { etag: '"a"', 'last-modified': OLD, date: OLD },
    { etag: '"b"', 'last-modified': OLD, date: OLD },
  ],
  [
    'two ETags, and a time that was of just now at first',
    'CRFS_NOT_FOUND',
    { etag: '"a"', 'last-modified': OLD, date: OLD },
    { etag: '"b"', 'last-modified': OLD },
  ],
  ['an ETag, and then none', 'CRFS_NOT_FOUND', { etag: '"a"' }, {}],
  ['an ETag, and then a time', 'CRFS_NOT_FOUND', { etag: '"a"' }, { 'last-modified': OLD }],
] as const) {
  test(`answers with ${what} are ${code ? 'of two versions' : 'of one version'}`, async (t) => {
    const { open } = await setting(t, (_, number) => ({ headers: { ...(number === 0 ? first : then) } }));
    const source = await open();
    if (code === undefined) await isRight(t, source);
    else t.regex((await rejects(t, code, async () => await source.read(0, 10))).message, /was replaced while in use/);
  });
}

test('a blob that has not the size that it should have is told so', async (t) => {
  const { blob } = await setting(t, () => ({}));
  const { message } = await rejects(t, 'CRFS_BAD_LAYER', async () => await blob(300_000).read(0, 10));
  t.is(message, 'it should have 300000 bytes, but has 300003 bytes');
});
