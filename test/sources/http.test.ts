// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { StreamSource } from '../../src/main/blob/source.js';
import { CrfsError, type ErrorCode } from '../../src/main/errors/error.js';
import type { RetryPolicy } from '../../src/main/http/retry.js';
import { Transport } from '../../src/main/http/transport.js';
import { openHttpSource } from '../../src/main/sources/http.js';
import { sameBytes } from '../tools/bytes.js';
import { type Fault, type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { until } from '../tools/machine.js';
import { type Origin, startOrigin } from '../tools/origin.js';

const SIZE = 1_000_003;
const hasty: RetryPolicy = { attempts: 4, first: 5, longest: 20, total: 1_800_000 };

interface Setting {
  readonly content: Buffer;
  readonly origin: Origin;
  readonly proxy: FaultProxy;
  readonly transport: Transport;
  readonly spool: string;
  readonly open: (url?: string) => Promise<StreamSource>;
}

async function setting(t: ExecutionContext, stall = 240_000): Promise<Setting> {
  const content = randomBytes(SIZE);
  const origin = await startOrigin(content);
  const proxy = await startFaultProxy({ upstream: origin.url });
  const transport = new Transport({ stall });
  const spool = await mkdtemp(join(tmpdir(), 'crfs-spool-'));
  t.teardown(async () => {
    await transport.close();
    await proxy.close();
    await origin.close();
    await rm(spool, { recursive: true });
  });
  const open = async (url = `${proxy.url}/layer`): Promise<StreamSource> =>
    await openHttpSource(url, { transport, spool, policy: hasty });
  return { content, origin, proxy, transport, spool, open };
}

async function rejects(t: ExecutionContext, code: ErrorCode, action: () => Promise<unknown>): Promise<CrfsError> {
  const error = await t.throwsAsync(action, { instanceOf: CrfsError });
  t.is(error?.code, code, error?.message);
  return error;
}

test('a blob is read by single ranges, its size learnt by one request', async (t) => {
  const { content, proxy, open } = await setting(t);
  const source = await open();
  t.is(source.size, SIZE);
  sameBytes(t, await source.read(1000, 70_000), content.subarray(1000, 71_000));
  t.deepEqual(
    proxy.seen.map(({ headers }) => headers.range),
    ['bytes=0-0', 'bytes=1000-70999'],
  );
});

test('the last byte can be read, and nothing behind it', async (t) => {
  const { content, open } = await setting(t);
  const source = await open();
  sameBytes(t, await source.read(SIZE - 1, 1), content.subarray(SIZE - 1));
  await rejects(t, 'CRFS_BAD_LAYER', async () => await source.read(SIZE - 1, 2));
});

test('an empty blob has size 0', async (t) => {
  const { origin, open } = await setting(t);
  origin.content = new Uint8Array(0);
  const source = await open();
  t.is(source.size, 0);
});

/** Breaks a transfer after so many bytes: by the end of its connection once the gate opens, or by nothing more at all. */
function broken(kind: 'reset' | 'truncate' | 'stall', after: number, gate: Gate): Fault {
  return kind === 'stall' ? { kind: 'hold', gate: new Gate(), after } : { kind, gate, after };
}

for (const kind of ['reset', 'truncate', 'stall'] as const) {
  test(`a transfer that ends in a ${kind} is continued where it broke off`, async (t) => {
    const { content, proxy, open } = await setting(t, kind === 'stall' ? 1000 : undefined);
    const source = await open();
    const gates = [new Gate(), new Gate(), new Gate()];
    proxy.fault = ({ number }) => {
      const gate = gates[number - 1];
      return gate && broken(kind, 100_000, gate);
    };
    let had = Buffer.alloc(0);
    for await (const piece of source.stream(0, SIZE)) {
      had = Buffer.concat([had, piece]);
      if (had.length % 100_000 === 0) gates[had.length / 100_000 - 1]?.open(); // what has arrived has been read
    }
    sameBytes(t, had, content);
    const starts = proxy.seen.map(({ headers }) => Number(/\d+/.exec(headers.range ?? '')?.[0]));
    t.true(starts.some((start) => start > 0));
    if (kind !== 'stall') t.true(proxy.sent < SIZE + 10); // on a slow machine more may look like a stall
  });

  test(`endless failing by ${kind} is an error after a bounded number of requests`, async (t) => {
    const { proxy, open } = await setting(t, kind === 'stall' ? 1000 : undefined);
    const source = await open();
    proxy.reset();
    const gate = new Gate();
    gate.open();
    proxy.fault = () => broken(kind, 0, gate);
    await rejects(t, 'CRFS_UNREACHABLE', async () => await source.read(0, SIZE));
    t.is(proxy.seen.length, hasty.attempts);
  });
}

for (const status of [408, 425, 429, 500, 503]) {
  test(`a ${status} is asked again, after the time that Retry-After names`, async (t) => {
    const { content, proxy, open } = await setting(t);
    const source = await open();
    proxy.fault = ({ number }) =>
      number === 1 ? { kind: 'status', status, headers: { 'retry-after': '1' } } : undefined;
    sameBytes(t, await source.read(5, 10), content.subarray(5, 15));
    t.is(proxy.seen.length, 3);
  });
}

test('a Retry-After beyond the time allowed is an error at once', async (t) => {
  const { proxy, open } = await setting(t);
  const source = await open();
  proxy.reset();
  proxy.fault = () => ({ kind: 'status', status: 503, headers: { 'retry-after': '3600' } });
  await rejects(t, 'CRFS_UNREACHABLE', async () => await source.read(0, 10));
  t.is(proxy.seen.length, 1);
});

for (const range of ['bytes 1-10/1000003', 'bytes 0-10/1000003', 'bytes 0-9/*x', '']) {
  test(`an answer with Content-Range '${range}' to bytes 0-9 is refused`, async (t) => {
    const { proxy, open } = await setting(t);
    const source = await open();
    proxy.fault = () => ({ kind: 'headers', headers: { 'content-range': range } });
    await rejects(t, 'CRFS_UNREACHABLE', async () => await source.read(0, 10));
  });
}

test('a blob replaced by one of another ETag is an error that says so', async (t) => {
  const { origin, open } = await setting(t);
  const source = await open();
  origin.etag = '"two"';
  const error = await rejects(t, 'CRFS_NOT_FOUND', async () => await source.read(0, 10));
  t.regex(error.message, /replaced/);
});

test('a blob replaced by a shorter one is an error that says so', async (t) => {
  const { origin, open } = await setting(t);
  const source = await open();
  origin.content = origin.content.subarray(0, 1000);
  await rejects(t, 'CRFS_NOT_FOUND', async () => await source.read(0, 10));
  const error = await rejects(t, 'CRFS_NOT_FOUND', async () => await source.read(5000, 10));
  t.regex(error.message, /replaced/);
});

for (const chunked of [false, true]) {
  test(`a server that sends everything${chunked ? ' without a length' : ''} is asked once`, async (t) => {
    const { content, proxy, spool, open } = await setting(t);
    proxy.fault = () => ({ kind: 'whole', chunked });
    const source = await open();
    const parts = await Promise.all([source.read(900_000, 100_003), source.read(0, 10), source.read(400_000, 200_000)]);
    const expected = [content.subarray(900_000), content.subarray(0, 10), content.subarray(400_000, 600_000)];
    for (const [n, part] of parts.entries()) sameBytes(t, part, expected[n]);
    t.is(proxy.seen.length, 1);
    t.deepEqual(await readdir(spool), []);
    await source.close();
  });
}

test('everything sent by a server without ranges is completed after a reset', async (t) => {
  const { content, proxy, open } = await setting(t);
  proxy.fault = ({ number }) => ({ kind: 'whole', ...(number < 2 && { after: 300_000 }) });
  const source = await open();
  sameBytes(t, await source.read(0, SIZE), content);
  t.is(proxy.seen.length, 3);
  await source.close();
});

test('after a download of everything has failed, a later read starts it anew', async (t) => {
  const { content, proxy, open } = await setting(t);
  proxy.fault = () => ({ kind: 'whole', after: 1000 });
  const source = await open();
  await rejects(t, 'CRFS_UNREACHABLE', async () => await source.read(0, SIZE));
  proxy.fault = () => ({ kind: 'whole' });
  sameBytes(t, await source.read(0, SIZE), content);
  await source.close();
});

test('a redirect is resolved once, and again when its URL has expired', async (t) => {
  const { content, proxy, open } = await setting(t);
  proxy.fault = () => ({ kind: 'redirect' });
  const source = await open();
  await source.read(0, 10);
  t.is(proxy.seen.length, 1);
  proxy.expire();
  sameBytes(t, await source.read(10, 10), content.subarray(10, 20));
  t.is(proxy.seen.length, 2);
});

test('a chain of five redirects is followed', async (t) => {
  const { content, proxy, open } = await setting(t);
  proxy.fault = ({ path }) =>
    path.length < '/layerxxxxx'.length ? { kind: 'status', status: 302, headers: { location: `${path}x` } } : undefined;
  const source = await open();
  sameBytes(t, await source.read(0, 10), content.subarray(0, 10));
  t.true(proxy.seen.every(({ path }) => path.length <= '/layerxxxxx'.length));
});

test('credentials in a URL reach its host, and neither the host of a redirect nor the name', async (t) => {
  const { proxy, open } = await setting(t);
  proxy.fault = () => ({ kind: 'redirect' });
  const source = await open(`http://user:secret@${proxy.host}/layer?signature=abc`);
  await source.read(0, 10);
  t.is(proxy.seen[0]?.headers.authorization, `Basic ${Buffer.from('user:secret').toString('base64')}`);
  t.true(proxy.store.seen.length > 0);
  t.true(proxy.store.seen.every(({ headers }) => headers.authorization === undefined));
  t.is(source.name, `${proxy.url}/layer`);
});

test('a chain of redirects without an end is an error', async (t) => {
  const { proxy, open } = await setting(t);
  proxy.fault = ({ path }) => ({ kind: 'status', status: 302, headers: { location: `${path}x` } });
  await rejects(t, 'CRFS_UNREACHABLE', open);
  t.is(proxy.seen.length, 6);
});

test('a read that its reader gives up ends the request and leaves the source usable', async (t) => {
  const { content, proxy, open } = await setting(t);
  const source = await open();
  const pieces: Buffer[] = [];
  for await (const piece of source.stream(0, SIZE)) {
    pieces.push(Buffer.from(piece));
    break;
  }
  const had = Buffer.concat(pieces);
  sameBytes(t, had, content.subarray(0, had.length));
  const gate = new Gate();
  proxy.fault = () => ({ kind: 'hold', gate, after: 0 });
  const given = new AbortController();
  const reading = async (): Promise<void> => {
    for await (const piece of source.stream(0, 10, given.signal)) t.fail(`${piece.length} bytes of a stalled answer`);
  };
  const failure = t.throwsAsync(reading, { any: true, name: 'AbortError' });
  await until('the answer is held', () => gate.arrivals === 1);
  given.abort();
  await failure;
  proxy.fault = () => undefined;
  sameBytes(t, await source.read(7, 7), content.subarray(7, 14));
});

test('a URL that is missing is not found, one that is forbidden is denied', async (t) => {
  const { proxy, open } = await setting(t);
  proxy.fault = () => ({ kind: 'status', status: 404 });
  await rejects(t, 'CRFS_NOT_FOUND', open);
  proxy.fault = () => ({ kind: 'status', status: 403 });
  await rejects(t, 'CRFS_DENIED', open);
});

test('a server that is gone is unreachable after a few attempts, and readable when it is back', async (t) => {
  const { content, proxy, open } = await setting(t);
  const source = await open();
  proxy.fault = () => ({ kind: 'reset', after: 0 });
  await rejects(t, 'CRFS_UNREACHABLE', async () => await source.read(0, 10));
  proxy.fault = () => undefined;
  sameBytes(t, await source.read(0, 10), content.subarray(0, 10));
});
