// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { oneLine } from '../../src/main/errors/one-line.js';
import { parseContentRange } from '../../src/main/http/content-range.js';
import { isLasting } from '../../src/main/http/failure.js';
import { PROGRESS, paced } from '../../src/main/http/paced.js';
import { type RetryNotice, retryAfter, retrying, TransientError } from '../../src/main/http/retry.js';
import { Transport } from '../../src/main/http/transport.js';
import { tellingRetries } from '../../src/main/output/retries.js';
import { startQuirkyServer } from '../tools/quirky-server.js';

const quick = { attempts: 3, first: 1, longest: 2, total: 10_000 };

test('what fails for good is not tried again', async (t) => {
  let attempts = 0;
  const error = new CrfsError('CRFS_NOT_FOUND', 'gone');
  const run = async (): Promise<never> => {
    attempts++;
    throw error;
  };
  t.is(await t.throwsAsync(async () => await retrying(quick, run)), error);
  t.is(attempts, 1);
});

test('what may pass is tried as often as the policy has it, and its error then says so', async (t) => {
  let attempts = 0;
  const run = async (): Promise<never> => {
    attempts++;
    throw new TransientError('it', 'busy');
  };
  const error = await t.throwsAsync(async () => await retrying(quick, run), { instanceOf: CrfsError });
  t.is(attempts, 3);
  t.is(error?.message, 'it: busy (gave up after 3 attempts)');
  t.false(error instanceof TransientError);
});

async function busy(): Promise<never> {
  throw new TransientError('it', 'busy');
}

test('whoever wants to is told before each further attempt', async (t) => {
  const notices: unknown[] = [];
  const onRetry = ({ what, reason, attempt }: RetryNotice): void => void notices.push([what, reason, attempt]);
  await t.throwsAsync(async () => await retrying({ ...quick, onRetry }, busy));
  t.deepEqual(notices, [
    ['it', 'busy', 2],
    ['it', 'busy', 3],
  ]);
});

test('a person is told of what is tried again, once, and if it takes longer than a second', (t) => {
  const said: string[] = [];
  const tell = tellingRetries((line) => said.push(line));
  const notice = { what: 'it', reason: 'b\u001busy', attempt: 2, nextInMs: 600, elapsedMs: 300 };
  tell(notice);
  t.deepEqual(said, []);
  tell({ ...notice, elapsedMs: 400 });
  tell({ ...notice, elapsedMs: 900 });
  tell({ ...notice, what: 'another', elapsedMs: 5000 });
  t.deepEqual(said, ['it: b\\u001busy; trying again', 'another: b\\u001busy; trying again']);
});

test('waiting ends when the signal says so', async (t) => {
  const slow = { ...quick, first: 1e6, longest: 1e6, total: 1e9 };
  await t.throwsAsync(async () => await retrying(slow, busy, AbortSignal.timeout(20)), {
    any: true,
    name: 'TimeoutError',
  });
});

const NOW = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');
for (const [header, wait] of [
  ['120', 120_000],
  ['0', 0],
  ['Wed, 21 Oct 2015 07:28:10 GMT', 10_000],
  ['Wed, 21 Oct 2015 07:27:00 GMT', 0],
  ['soon', undefined],
  ['-5', 0],
  [undefined, undefined],
] as const) {
  test(`Retry-After ${header ?? 'left out'} asks for ${wait ?? 'no'} milliseconds`, (t) => {
    t.is(retryAfter(header, NOW), wait);
  });
}

for (const [header, range] of [
  ['bytes 0-9/10', { first: 0, last: 9, total: 10 }],
  ['bytes 5-5/*', { first: 5, last: 5, total: undefined }],
  ['bytes */10', { first: undefined, last: undefined, total: 10 }],
  ['bytes */*', undefined],
  ['bytes 9-0/10', undefined],
  ['bytes 0-10/10', undefined],
  ['bytes 0-9/9999999999999999', undefined],
  ['bytes=0-9/10', undefined],
  ['bytes 0-9', undefined],
  ['items 0-9/10', undefined],
  ['', undefined],
  [undefined, undefined],
] as const) {
  test(`Content-Range ${JSON.stringify(header)} is ${range ? 'understood' : 'refused'}`, (t) => {
    t.deepEqual(parseContentRange(header), range);
  });
}

test('what a server says is shown on one short line, without control characters', (t) => {
  t.is(oneLine('a\r\nb\u001b[31m\u202ec'), 'a b [31m c');
  t.is(oneLine('x'.repeat(1000)).length, 201);
});

/** Chunks of so many bytes, each of which takes 5 ms to arrive, and their clock. */
function link(size: number, count: number): { chunks: AsyncIterable<Uint8Array>; clock: { now(): number } } {
  let time = 0;
  async function* send(): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < count; sent++) {
      time += 5;
      yield new Uint8Array(size);
    }
  }
  return { chunks: send(), clock: { now: () => time } };
}

test('a transfer that trickles is given up, and one that is slow is not', async (t) => {
  let bytes = 0;
  const pass = async (size: number, count: number): Promise<void> => {
    const { chunks, clock } = link(size, count);
    for await (const chunk of paced(chunks, 100, 'GET x', clock)) bytes += chunk.length;
  };
  await t.throwsAsync(pass(1, 1000), { instanceOf: TransientError });
  t.is(bytes, 20);
  bytes = 0;
  await pass(PROGRESS / 20, 1000);
  t.is(bytes, Math.floor(PROGRESS / 20) * 1000);
});

for (const [code, host, lasting] of [
  ['ENOTFOUND', 'no.such.host', true],
  ['EAI_AGAIN', 'some.host', false],
  ['ECONNREFUSED', 'localhost', true],
  ['ECONNREFUSED', '127.1.2.3', true],
  ['ECONNREFUSED', '[::1]', true],
  ['ECONNREFUSED', '127.example.com', false],
  ['ECONNREFUSED', '10.0.0.1', false],
  ['ECONNRESET', 'localhost', false],
] as const) {
  test(`${code} of ${host} ${lasting ? 'would only be met again' : 'may pass'}`, (t) => {
    const error = new Error('x', { cause: Object.assign(new Error('y'), { code }) });
    t.is(isLasting(error, new URL(`http://${host}/a`)), lasting);
  });
}

test('a place on this machine where nobody listens is asked once, and again if it has answered before', async (t) => {
  const server = await startQuirkyServer(Buffer.from('x'), () => ({}));
  const transport = new Transport();
  const url = new URL(server.url);
  const ask = async (): Promise<unknown> => await transport.send({ method: 'GET', url });
  await ask();
  await server.close();
  await t.throwsAsync(ask, { instanceOf: TransientError });
  const fresh = new Transport();
  const error = await t.throwsAsync(async () => await fresh.send({ method: 'GET', url }), { instanceOf: CrfsError });
  t.false(error instanceof TransientError);
  t.regex(error?.message ?? '', /: the connection was refused$/);
  await Promise.all([transport.close(), fresh.close()]);
});
