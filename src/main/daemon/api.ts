// SPDX-License-Identifier: GPL-3.0-or-later

import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { Trimmed } from '../cache/trim.js';
import type { Status } from './status.js';

/** What the command line asks of the daemon: HTTP on a unix socket that only its user can reach. */
export interface Api {
  status(): Status;
  stop(): void;
  /** Makes the cache smaller, to so many bytes. */
  trim(limit: number): Promise<Trimmed>;
}

export interface ApiServer {
  close(): Promise<void>;
}

export const API_SOCKET = 'api.sock';

export function listenApi(runtimeDirectory: string, api: Api): ApiServer {
  const path = join(runtimeDirectory, API_SOCKET);
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    const route = `${request.method} ${request.url}`;
    if (route === 'GET /status') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(api.status()));
    } else if (/^POST \/cache\/trim\?to=\d{1,15}$/.test(route)) {
      api.trim(Number(route.split('=')[1])).then(
        (trimmed) => response.end(JSON.stringify(trimmed)),
        (error: Error) => response.destroy(error),
      );
    } else if (route === 'POST /stop') {
      response.end();
      api.stop();
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  server.listen(path);
  return {
    close: () =>
      new Promise((resolve) => {
        rmSync(path, { force: true });
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}
