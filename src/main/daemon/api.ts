// SPDX-License-Identifier: GPL-3.0-or-later

import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Client } from 'undici';
import { CrfsError } from '../errors/error.js';
import { runtimeDirectory } from '../settings/directories.js';
import type { Status } from './status.js';

/** What the command line asks of the daemon: HTTP on a unix socket that only its user can reach. */
export interface Api {
  status(): Status;
  stop(): void;
}

export interface ApiServer {
  close(): Promise<void>;
}

const SOCKET = 'api.sock';
const ANSWER_WITHIN_MS = 10_000;

export function listenApi(runtimeDirectory: string, api: Api): ApiServer {
  const path = join(runtimeDirectory, SOCKET);
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    const route = `${request.method} ${request.url}`;
    if (route === 'GET /status') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(api.status()));
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

/** Asks the daemon of this user. Returns undefined if none runs; throws CRFS_UNREACHABLE if it does not answer. */
export async function askDaemon(method: 'GET' | 'POST', path: string): Promise<string | undefined> {
  const client = new Client('http://crfs', {
    socketPath: join(runtimeDirectory(), SOCKET),
    headersTimeout: ANSWER_WITHIN_MS,
    bodyTimeout: ANSWER_WITHIN_MS,
  });
  try {
    const response = await client.request({ method, path });
    return await response.body.text();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
    throw new CrfsError('CRFS_UNREACHABLE', `the daemon does not answer: ${message}`, { cause: error });
  } finally {
    await client.destroy();
  }
}
