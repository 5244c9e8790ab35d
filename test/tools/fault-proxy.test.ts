// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { startFaultProxy } from './fault-proxy.js';
import { startOrigin } from './fault-proxy-origin.js';

test('a link has a round trip time and a rate, and everything is counted', async (t) => {
  const content = randomBytes(300_000);
  const origin = await startOrigin(content);
  const proxy = await startFaultProxy({ upstream: origin.url, link: { rtt: 20, rate: 1_000_000 } });
  t.teardown(async () => {
    await proxy.close();
    await origin.close();
  });
  const began = performance.now();
  const bodies = await Promise.all(
    ['a', 'b'].map(async (path) => Buffer.from(await (await fetch(`${proxy.url}/${path}`)).arrayBuffer())),
  );
  t.true(performance.now() - began >= 600);
  t.deepEqual(bodies, [content, content]);
  t.is(proxy.sent, 600_000);
  t.deepEqual(proxy.seen.map(({ path }) => path).sort(), ['/a', '/b']);
});
