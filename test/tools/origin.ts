// SPDX-License-Identifier: GPL-3.0-or-later

/** A file server as simple as can be: one buffer, single ranges, an ETag. */

import { createServer } from 'node:http';
import { endServer, listen } from './local-server.js';

export interface Origin {
  readonly url: string;
  content: Uint8Array;
  etag: string;
  /** Requests so far. */
  requests: number;
  close(): Promise<void>;
}

/** Serves `content` under every path, on a free port of 127.0.0.1. */
export async function startOrigin(content: Uint8Array): Promise<Origin> {
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const { content: all, etag } = origin;
    origin.requests++;
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (match === null) {
      response.writeHead(200, { etag, 'content-length': all.length }).end(request.method === 'HEAD' ? undefined : all);
      return;
    }
    const first = Number(match[1]);
    const last = Math.min(Number(match[2]), all.length - 1);
    if (first > last) {
      response.writeHead(416, { 'content-range': `bytes */${all.length}`, 'content-length': '0' }).end();
      return;
    }
    const headers = {
      etag,
      'content-length': last - first + 1,
      'content-range': `bytes ${first}-${last}/${all.length}`,
    };
    response.writeHead(206, headers).end(all.subarray(first, last + 1));
  });
  const host = await listen(server);
  const origin: Origin = {
    url: `http://${host}`,
    content,
    etag: '"one"',
    requests: 0,
    close: () => endServer(server),
  };
  return origin;
}
