// SPDX-License-Identifier: GPL-3.0-or-later

/** A registry that lies: what another one serves, but for most of the content of blobs. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { endServer, listen } from './local-server.js';

/** Bytes at the end of blobs that are true: they hold the TOC. */
const TRUE_BYTES = 100_000;

export interface LyingRegistry {
  /** `127.0.0.1:port` */
  readonly host: string;
  close(): Promise<void>;
}

/** Stands for the registry at `upstream`, a URL. What is read of blobs in ranges is zeros, but for their ends. */
export async function startLyingRegistry(upstream: string): Promise<LyingRegistry> {
  const server = createServer((request, response) => {
    answer(upstream, request, response).catch(() => response.destroy());
  });
  return { host: await listen(server), close: () => endServer(server) };
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
