// SPDX-License-Identifier: GPL-3.0-or-later

import { lstatSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Logger } from 'pino';
import type { MetricsAddress } from '../settings/options.js';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface MetricsServer {
  close(): void;
}

/**
 * Answers `GET /metrics` at the address that the settings name. Where it cannot listen, the log says so and the daemon
 * goes on: mounts matter more.
 */
export function serveMetrics(address: MetricsAddress, render: () => string, log: Logger): MetricsServer {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(render());
  });
  server.on('error', (error) => log.error(`no metrics: ${error.message}`));
  server.unref();
  if ('path' in address) dropSocket(address.path);
  server.listen(address);
  return {
    close: () => {
      server.close(); // which also removes a socket from the file system
      server.closeAllConnections();
    },
  };
}

/** Removes the socket that a daemon left which was killed; anything else stays, and listening fails. */
function dropSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}
