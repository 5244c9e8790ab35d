// SPDX-License-Identifier: GPL-3.0-or-later

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Removed } from '../cache/remove.js';
import type { Trimmed } from '../cache/trim.js';
import { CrfsError, type ErrorCode } from '../errors/error.js';
import { withoutPasswords } from '../errors/passwords.js';
import type { Prefetched, ToPrefetch } from './prefetch.js';
import { API_SOCKET, type SocketDirectory } from './socket-directory.js';
import type { Status } from './status.js';
import type { Traced } from './tracer.js';

/** What the command line asks of the daemon: HTTP on a unix socket that only its user can reach. */
export interface Api {
  status(): Status;
  stop(): void;
  /**
   * Takes the mount away that the process `pid` serves, also where its mountpoint cannot be seen from here. Resolves to
   * whether there was one, when it has gone.
   */
  umount(pid: number): Promise<boolean>;
  /** Makes the cache smaller, to so many bytes. */
  trim(limit: number): Promise<Trimmed>;
  /** Removes an image from the cache, by its name in notes; `isForced`: also one that podman is noted to use. */
  remove(image: string, isForced: boolean): Promise<Removed>;
  /** Fetches all of an image; the last thing told says how that went. */
  prefetch(wanted: ToPrefetch, tell: (told: Prefetched) => void, signal: AbortSignal): Promise<void>;
  /** Tells what a mount opens, until `ended` is called; returns what stops it. undefined: there is no such mount. */
  trace(
    mountpoint: string,
    tell: (traced: Traced) => void,
    ended: () => void,
    withRequests: boolean,
  ): (() => void) | undefined;
}

export interface ApiServer {
  close(): Promise<void>;
}

/** How long a client may take to read what it was told last: one that is stopped does not keep the daemon. */
const LAST_WORD_MS = 1000;

/** What a reader of a trace may be behind, in bytes: what is more he misses. */
const TRACE_BACKLOG = 4 << 20;

/** Resolves when it answers. Rejects where the socket cannot be made. */
export async function listenApi(sockets: SocketDirectory, api: Api): Promise<ApiServer> {
  sockets.remove(API_SOCKET);
  const server = createServer((request, response) => {
    const route = `${request.method} ${request.url}`;
    if (route === 'GET /status') {
      response.setHeader('content-type', 'application/json');
      response.end(withoutPasswords(JSON.stringify(api.status())));
    } else if (/^POST \/cache\/trim\?to=\d{1,15}$/.test(route)) {
      api.trim(Number(route.split('=')[1])).then(
        (trimmed) => response.end(JSON.stringify(trimmed)),
        (error: Error) => response.destroy(error),
      );
    } else if (/^POST \/umount\?pid=\d{1,10}$/.test(route)) {
      api.umount(Number(route.split('=')[1])).then(
        (found) => response.end(JSON.stringify(found)),
        (error: Error) => response.destroy(error),
      );
    } else if (route.startsWith('POST /cache/remove?image=')) {
      api.remove(parameterOf(request, 'image'), parameterOf(request, 'force') === 'true').then(
        (removed) => response.end(JSON.stringify(removed)),
        (error: Error) => response.end(JSON.stringify(refusal(error))),
      );
    } else if (route === 'POST /prefetch') {
      sendPrefetch(api, request, response).catch((error: Error) => response.destroy(error));
    } else if (route.startsWith('GET /trace?mount=')) {
      sendTrace(api, request, response);
    } else if (route === 'POST /stop') {
      response.end(String(process.pid)); // of who is going to end
      api.stop();
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  server.listen(sockets.path(API_SOCKET));
  await once(server, 'listening');
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve()); // which removes the socket
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), LAST_WORD_MS).unref();
      }),
  };
}

/** What the command line is answered where it asks for what cannot be. */
export interface Refusal {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

function refusal(error: Error): Refusal {
  return { error: { code: error instanceof CrfsError ? error.code : 'CRFS_INTERNAL', message: error.message } };
}

function parameterOf({ url = '' }: IncomingMessage, name: string): string {
  return new URL(url, 'http://crfs').searchParams.get(name) ?? '';
}

/** Objects of `Prefetched`, a line each, until all is told, or nobody listens. */
async function sendPrefetch(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const wanted = JSON.parse(await text(request)) as ToPrefetch;
  response.flushHeaders();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  await api.prefetch(wanted, (told) => response.write(`${withoutPasswords(JSON.stringify(told))}\n`), gone.signal);
  response.end();
}

/** Objects of `Traced`, a line each. The first line is empty: from there on, everything is told. */
function sendTrace(api: Api, request: IncomingMessage, response: ServerResponse): void {
  const mountpoint = parameterOf(request, 'mount');
  let missed = 0;
  const tell = (traced: Traced): void => {
    if (response.writableLength > TRACE_BACKLOG) {
      missed += 'missed' in traced ? traced.missed : 1;
      return;
    }
    if (missed > 0) response.write(`${JSON.stringify({ missed } satisfies Traced)}\n`);
    missed = 0;
    response.write(`${JSON.stringify(traced)}\n`);
  };
  const stop = api.trace(mountpoint, tell, () => response.end(), parameterOf(request, 'requests') === 'true');
  if (stop === undefined) {
    response.statusCode = 404;
    response.end();
    return;
  }
  response.once('close', stop);
  response.write('\n');
}
