// SPDX-License-Identifier: GPL-3.0-or-later

import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Transport } from '../../src/main/http/transport.js';
import { openHttpSource } from '../../src/main/sources/http.js';
import { type Origin, startOrigin } from '../tools/fault-proxy-origin.js';
import { startRegistry } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { type Home, hasty, makeClient, makeHome, ref, registryTest, rejects } from './setting.js';

interface ForwardProxy {
  readonly url: string;
  /** What clients asked for: `GET http://host/path`, `CONNECT host:port`. */
  readonly seen: string[];
}

/** A proxy as HTTP_PROXY names it, for which every host is `target`. */
async function startForwardProxy(t: ExecutionContext, target: string): Promise<ForwardProxy> {
  const seen: string[] = [];
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const { method, headers } = incoming;
    const path = new URL(incoming.url ?? '').pathname;
    const onward = request(new URL(path, target), { method: method ?? 'GET', headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy()).end();
  });
  server.on('connect', (incoming: IncomingMessage, client: Socket) => {
    seen.push(`CONNECT ${incoming.url}`);
    const onward = connect(Number(new URL(target).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(client).pipe(onward);
    });
    onward.on('error', () => client.destroy());
    client.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function read(t: ExecutionContext, home: Home, url: string): Promise<Buffer> {
  const transport = new Transport({ surroundings: home.surroundings, stall: 10_000 });
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
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => server.close());
  const home = await makeHome(t);
  home.env['http_proxy'] = `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.is((await read(t, home, 'http://files.test/layer')).toString(), 'content');
  t.deepEqual([...new Set(names)], ['files.test']);
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
