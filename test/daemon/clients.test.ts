// SPDX-License-Identifier: GPL-3.0-or-later

import { tmpdir } from 'node:os';
import test from 'ava';
import { pino } from 'pino';
import { Clients } from '../../src/main/daemon/clients.js';

test('mounts of one environment share a client, which is closed when the last of them has gone', async (t) => {
  const clients = new Clients(tmpdir(), pino({ enabled: false }));
  const [one, two, other] = [
    clients.lease({ HOME: '/a', PATH: '/bin' }),
    clients.lease({ PATH: '/bin', HOME: '/a' }),
    clients.lease({ HOME: '/b', PATH: '/bin' }),
  ];
  t.is(one.number, two.number);
  t.not(one.number, other.number);
  const client = await one.client();
  t.is(await two.client(), client);
  t.not(await other.client(), client);
  let closed = 0;
  const close = client.close.bind(client);
  client.close = async () => {
    closed++;
    await close();
  };
  await one.release();
  t.is(closed, 0);
  const three = clients.lease({ HOME: '/a', PATH: '/bin' });
  t.is(await three.client(), client);
  await two.release();
  t.is(closed, 0);
  await three.release();
  t.is(closed, 1);
  const later = clients.lease({ HOME: '/a', PATH: '/bin' });
  t.not(later.number, one.number);
  t.not(await later.client(), client);
  await Promise.all([later.release(), other.release()]);
});

test('an environment that makes no sense is told to each mount, and a client that was never made needs no end', async (t) => {
  const clients = new Clients(tmpdir(), pino({ enabled: false }));
  const lease = clients.lease({ CRFS_TLS_VERIFY: 'perhaps' });
  await t.throwsAsync(lease.client(), {
    code: 'CRFS_USAGE',
    message: /CRFS_TLS_VERIFY is "perhaps"; it must be true or false/,
  });
  await t.notThrowsAsync(lease.release());
  await t.notThrowsAsync(clients.lease({}).release());
});

test('the log is told what is tried again, where that takes longer than a second', async (t) => {
  const lines: string[] = [];
  const clients = new Clients(tmpdir(), pino({}, { write: (line) => void lines.push(line) }));
  const lease = clients.lease({});
  const client = await lease.client();
  const notice = { what: 'GET http://host/layer', reason: 'the connection broke', attempt: 2 };
  client.policy.onRetry?.({ ...notice, nextInMs: 200, elapsedMs: 700 });
  t.deepEqual(lines, []);
  client.policy.onRetry?.({ ...notice, nextInMs: 400, elapsedMs: 700 });
  t.is(lines.length, 1);
  t.like(JSON.parse(lines[0] ?? ''), {
    attempt: 2,
    ms: 1100,
    msg: 'GET http://host/layer: the connection broke; trying again',
  });
  await lease.release();
});
