// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { connect, createServer as createTcpServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Transport } from '../../src/main/http/transport.js';
import { openHttpSource } from '../../src/main/sources/http.js';
import { startForwardProxy } from '../tools/forward-proxy.js';
import { listen } from '../tools/local-server.js';
import { type Origin, startOrigin } from '../tools/origin.js';
import { startRegistry } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { type Home, hasty, makeClient, makeHome, ref, registryTest, rejects } from './setting.js';

async function read(t: ExecutionContext, home: Home, url: string): Promise<Buffer> {
  const transport = new Transport({ environment: home.environment, stall: 240_000 });
  t.teardown(async () => {
    await transport.close();
  });
  const source = await openHttpSource(url, { transport, spool: home.path, policy: { ...hasty, attempts: 1 } });
  return Buffer.from(await source.read(0, source.size));
}

async function origin(t: ExecutionContext): Promise<Origin> {
  const started = await startOrigin(Buffer.from('content'));
  t.teardown(async () => {
    await started.close();
  });
  return started;
}

test('plain http goes through HTTP_PROXY', async (t) => {
  const proxy = await startForwardProxy(t, (await origin(t)).url);
  const home = await makeHome(t);
  home.env['HTTP_PROXY'] = proxy.url;
  t.is((await read(t, home, 'http://files.test/layer')).toString(), 'content');
  t.deepEqual(new Set(proxy.seen), new Set(['GET http://files.test/layer']));
});

test('hosts in NO_PROXY, and this machine, are asked without the proxy', async (t) => {
  const { url } = await origin(t);
  const proxy = await startForwardProxy(t, url);
  const home = await makeHome(t);
  home.env['http_proxy'] = proxy.url;
  t.is((await read(t, home, `${url}/layer`)).toString(), 'content');
  home.env['no_proxy'] = 'example.com,.test';
  await rejects(t, 'CRFS_UNREACHABLE', async () => await read(t, home, 'http://files.test/layer'));
  t.deepEqual(proxy.seen, []);
});

test('a SOCKS proxy is told the name of the host', async (t) => {
  const { port } = new URL((await origin(t)).url);
  const names: string[] = [];
  const server = createTcpServer((client) => {
    client.once('data', () => {
      client.write(Buffer.of(5, 0)); // RFC 1928: no authentication
      client.once('data', (asked: Buffer) => {
        names.push(asked.toString('latin1', 5, 5 + (asked[4] ?? 0)));
        const onward = connect(Number(port), '127.0.0.1', () => {
          client.write(Buffer.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0));
          onward.pipe(client).pipe(onward);
        });
      });
    });
    client.on('error', () => client.destroy());
  });
  const host = await listen(server);
  t.teardown(() => server.close());
  const home = await makeHome(t);
  home.env['http_proxy'] = `socks5://${host}`;
  t.is((await read(t, home, 'http://files.test/layer')).toString(), 'content');
  t.deepEqual([...new Set(names)], ['files.test']);
});

test('a proxy that is asked by TLS is checked against the CAs of the system', async (t) => {
  const { url } = await origin(t);
  const certificates = await makeCertificates();
  t.teardown(() => certificates.remove());
  const [cert, key] = [readFileSync(certificates.server.certificate), readFileSync(certificates.server.key)];
  const proxy = await startForwardProxy(t, url, { cert, key });
  const home = await makeHome(t);
  // undici names the proxy to TLS, where Node.js 26 takes no address for a name
  home.env['HTTP_PROXY'] = proxy.url.replace('127.0.0.1', 'localhost');
  await t.throwsAsync(read(t, home, 'http://files.test/layer'));
  t.deepEqual(proxy.seen, []);
  await home.write('etc/ssl/certs/ca-certificates.crt', certificates.authority);
  t.is((await read(t, home, 'http://files.test/layer')).toString(), 'content');
  t.deepEqual(new Set(proxy.seen), new Set(['CONNECT files.test:80']));
});

registryTest('https goes through a tunnel, its certificate checked behind it', async (t) => {
  const certificates = await makeCertificates('registry.test');
  const registry = await startRegistry({ tls: certificates.server });
  t.teardown(async () => {
    await registry.stop();
    await certificates.remove();
  });
  const proxy = await startForwardProxy(t, registry.url);
  const home = await makeHome(t);
  home.env['HTTPS_PROXY'] = proxy.url;
  const name = ref('registry.test', 'a');
  const client = makeClient(t, home);
  await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(name));
  await home.write('etc/ssl/certs/ca-certificates.crt', certificates.authority);
  await rejects(t, 'CRFS_NOT_FOUND', async () => await client.getManifest(name));
  t.deepEqual(new Set(proxy.seen), new Set(['CONNECT registry.test:443']));
});
