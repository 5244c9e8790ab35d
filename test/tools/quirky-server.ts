// SPDX-License-Identifier: GPL-3.0-or-later

/** A file server that answers to ranges as a test says. */

import { createServer } from 'node:http';
import { endServer, listen } from './local-server.js';

/** What is other than it should be. */
export interface QuirkyAnswer {
  readonly status?: number;
  /** An empty value takes a header away. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Whether everything is sent, whatever was asked for. */
  readonly whole?: boolean;
  /** Where the range that is sent ends, if not where it should. */
  readonly end?: number;
  /** So many bytes more than Content-Range says. */
  readonly more?: number;
  /** The connection ends after so many bytes of the body. */
  readonly cut?: number;
  /** Whether the length is left out. */
  readonly chunked?: boolean;
}

export interface QuirkyServer {
  readonly url: string;
  /** The Range header of each request. */
  readonly asked: (string | undefined)[];
  close(): Promise<void>;
}

type Quirk = (range: readonly [first: number, end: number] | undefined, number: number) => QuirkyAnswer;

/** Serves `content` under every path, on a free port of 127.0.0.1; `quirk` is told the range and how many were asked before. */
export async function startQuirkyServer(content: Uint8Array, quirk: Quirk): Promise<QuirkyServer> {
  const asked: (string | undefined)[] = [];
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const { range } = request.headers;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    const wanted = from === undefined ? undefined : ([Number(from), Math.min(Number(to) + 1, content.length)] as const);
    const answer = quirk(wanted, asked.length);
    asked.push(range);
    const [first, asksTo] = (answer.whole ? undefined : wanted) ?? [0, content.length];
    const end = answer.end ?? asksTo;
    const partial = wanted !== undefined && !answer.whole;
    const body = answer.body ?? content.subarray(first, end + (answer.more ?? 0));
    const headers: Record<string, string | number> = {
      ...(!answer.chunked && { 'content-length': body.length }),
      ...(partial && { 'content-range': `bytes ${first}-${end - 1}/${content.length}` }),
      ...answer.headers,
    };
    for (const [name, value] of Object.entries(headers)) if (value === '') delete headers[name];
    response.writeHead(answer.status ?? (partial ? 206 : 200), headers);
    if (answer.cut === undefined) response.end(body);
    else response.write(body.subarray(0, answer.cut), () => request.socket.destroySoon());
  });
  return {
    url: `http://${await listen(server)}`,
    asked,
    close: () => endServer(server),
  };
}
