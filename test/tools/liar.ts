// SPDX-License-Identifier: GPL-3.0-or-later

/** A registry that lies: what another one serves, but for most of the content of blobs. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Bytes at the end of blobs that are true: they hold the TOC. */
const TRUE_BYTES = 100_000;

export interface Liar {
  /** `127.0.0.1:port` */
  readonly host: string;
  close(): Promise<void>;
}

/** Stands for the registry at `upstream`, a URL. What is read of blobs in ranges is zeros, but for their ends. */
export async function startLiar(upstream: string): Promise<Liar> {
  const server = createServer((request, response) => {
    answer(upstream, request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(upstream: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { range, accept = '*/*' } = request.headers;
  const honest = await fetch(`${upstream}${request.url}`, { headers: { accept, ...(range ? { range } : {}) } });
  const body = Buffer.from(await honest.arrayBuffer());
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(honest.headers.get('content-range') ?? '') ?? [];
  if (first !== undefined)
    body.fill(0, 0, Math.max(0, Math.min(body.length, Number(total) - TRUE_BYTES - Number(first))));
  response.writeHead(honest.status, Object.fromEntries(honest.headers)).end(body);
}
