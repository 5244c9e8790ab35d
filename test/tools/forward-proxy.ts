// SPDX-License-Identifier: GPL-3.0-or-later

/** A proxy as HTTP_PROXY names it, on 127.0.0.1. */

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { connect, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { listen } from './local-server.js';

export interface ForwardProxy {
  readonly url: string;
  /** What clients asked for: `GET http://host/path`, `CONNECT host:port`. */
  readonly seen: string[];
}

/** Starts one for which every host is `target`, which is asked by TLS if `tls` is given; it ends with the test. */
export async function startForwardProxy(
  t: ExecutionContext,
  target: string,
  tls?: ServerOptions,
): Promise<ForwardProxy> {
  const seen: string[] = [];
  const server = tls ? createTlsServer(tls) : createServer();
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
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
  const host = await listen(server);
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `${tls ? 'https' : 'http'}://${host}`, seen };
}
