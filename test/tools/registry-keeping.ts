// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The part of a registry that takes uploads (distribution specification, "Push"), and keeps what has arrived of a chunk whose
 * connection broke. docker-registry gives such an upload up.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { endServer, listen } from './local-server.js';

export interface KeepingRegistry {
  readonly url: string;
  /** By digest. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Bytes of uploads that have arrived. */
  readonly received: number;
  close(): Promise<void>;
}

function state(size: number): Record<string, string> {
  return { location: `/upload?at=${size}`, range: `0-${Math.max(size - 1, 0)}`, 'content-length': '0' };
}

/** Takes one upload after the other, at whatever path. */
export async function startKeepingRegistry(): Promise<KeepingRegistry> {
  const blobs = new Map<string, Buffer>();
  let upload: Buffer[] = [];
  let [size, received] = [0, 0];

  const take = async (request: IncomingMessage): Promise<boolean> => {
    const { 'content-range': range } = request.headers;
    if (range !== undefined && Number(range.split('-', 1)[0]) !== size) return false;
    for await (const piece of request as AsyncIterable<Buffer>) {
      upload.push(piece);
      size += piece.length;
      received += piece.length;
    }
    return true;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'POST') {
      [upload, size] = [[], 0];
      response.writeHead(202, state(0)).end();
    } else if (request.method === 'GET') response.writeHead(204, state(size)).end();
    else if (!(await take(request))) response.writeHead(416, state(size)).end();
    else if (request.method === 'PATCH') response.writeHead(202, state(size)).end();
    else {
      blobs.set(url.searchParams.get('digest') ?? '', Buffer.concat(upload));
      response.writeHead(201, { 'content-length': '0' }).end();
    }
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  return {
    url: `http://${await listen(server)}`,
    blobs,
    get received() {
      return received;
    },
    close: () => endServer(server),
  };
}
