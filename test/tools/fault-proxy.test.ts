// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { sameBytes } from './bytes.js';
import { bytesBefore, type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { Gate } from './gate.js';
import { until } from './machine.js';
import { startOrigin } from './origin.js';

const CONTENT = randomBytes(300_000);

async function world(t: ExecutionContext): Promise<FaultProxy> {
  const origin = await startOrigin(CONTENT);
  const proxy = await startFaultProxy({ upstream: origin.url });
  t.teardown(async () => {
    await proxy.close();
    await origin.close();
  });
  return proxy;
}

interface Answer {
  readonly bytes: Buffer;
  readonly end: 'whole' | 'broken';
}

/** What arrives of the bytes [first, 300000), and how it ends. */
async function get(url: string, first = 0): Promise<Answer> {
  const onward = request(url, { headers: { range: `bytes=${first}-299999` } });
  onward.on('error', () => undefined).end(); // of a reset the answer tells
  return await new Promise((resolve) => {
    onward.once('response', (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece)).on('error', () => undefined);
      answer.on('close', () => resolve({ bytes: Buffer.concat(pieces), end: answer.complete ? 'whole' : 'broken' }));
    });
  });
}

function isAnswer(t: ExecutionContext, answer: Answer, bytes: Buffer, end: Answer['end']): void {
  sameBytes(t, answer.bytes, bytes);
  t.is(answer.end, end);
}

test('everything is counted', async (t) => {
  const proxy = await world(t);
  const answers = await Promise.all(['a', 'b'].map(async (path) => await get(`${proxy.url}/${path}`)));
  for (const answer of answers) isAnswer(t, answer, CONTENT, 'whole');
  t.is(proxy.sent, 600_000);
  t.deepEqual(proxy.seen.map(({ path }) => path).sort(), ['/a', '/b']);
});

for (const after of [undefined, 0, 100_000, 300_000]) {
  test(`an answer is held ${after === undefined ? 'as a whole' : `after ${after} bytes`} until its gate opens`, async (t) => {
    const proxy = await world(t);
    const gate = new Gate();
    proxy.fault = () => ({ kind: 'hold', gate, ...(after !== undefined && { after }) });
    const answer = get(proxy.url);
    await until('the answer is held', () => gate.arrivals === 1);
    t.is(proxy.sent, after ?? 0);
    gate.open();
    isAnswer(t, await answer, CONTENT, 'whole');
  });
}

test('a blob can be had up to one of its bytes, whatever range is asked for', async (t) => {
  const proxy = await world(t);
  proxy.fault = (seen) => ({ kind: 'truncate', after: bytesBefore(100_000, seen) });
  for (const first of [0, 99_999, 100_000, 200_000]) {
    isAnswer(t, await get(proxy.url, first), CONTENT.subarray(first, Math.max(first, 100_000)), 'broken');
  }
});

test('a connection is reset after so many bytes have arrived, once its gate is open', async (t) => {
  const proxy = await world(t);
  const gate = new Gate();
  proxy.fault = () => ({ kind: 'reset', after: 250_000, gate });
  const answer = get(proxy.url);
  await until('the answer is held', () => gate.arrivals === 1);
  gate.open();
  isAnswer(t, await answer, CONTENT.subarray(0, 250_000), 'broken');
});
