// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * A reverse proxy that stands for a network: round trip time, bandwidth, and faults on demand. It counts what passes.
 *
 *     client ---- proxy.url ----> upstream        every request: a round trip, faults, the link's rate
 *     client ---- store.url ----> upstream        the other host that a `redirect` fault sends a client to
 */

import { randomUUID } from 'node:crypto';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to one request. `after` counts bytes of the answer's body (of the request's body for `cut-upload`). */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  | { readonly kind: 'reset' | 'truncate' | 'stall' | 'cut-upload'; readonly after: number }
  /** The answer's headers, changed; an empty value takes one away. */
  | { readonly kind: 'headers'; readonly headers: Record<string, string> }
  /** Answers 200 with everything, whatever range was asked for; cut off after so many bytes, where that is given. */
  | { readonly kind: 'whole'; readonly after?: number; readonly chunked?: boolean }
  /** Sends the client to the store, with a URL that is good until `expire` is called. */
  | { readonly kind: 'redirect' };

/** A request as it arrived. */
export interface Seen {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly number: number;
}

export interface Link {
  /** Round trip time in milliseconds; a new connection costs one more. */
  readonly rtt?: number;
  /** Bytes per second, each way, shared by all connections. */
  readonly rate?: number;
}

export interface FaultProxyOptions {
  /** `http://127.0.0.1:port`. */
  readonly upstream: string;
  /** Where the store gets its bytes from, if that is another place. */
  readonly storeUpstream?: string;
  readonly link?: Link;
}

export interface FaultProxy {
  readonly url: string;
  readonly host: string;
  readonly store: { readonly url: string; readonly host: string; readonly seen: readonly Seen[] };
  readonly seen: readonly Seen[];
  /** Bytes of bodies sent to clients, and received from them, by proxy and store. */
  readonly sent: number;
  readonly received: number;
  link: Link;
  /** Chooses the fault for each request to the proxy, and to the store. */
  fault: (seen: Seen) => Fault | undefined;
  storeFault: (seen: Seen) => Fault | undefined;
  /** Forgets what was seen and counted. */
  reset(): void;
  /** Ends the life of every URL that a redirect has named so far. */
  expire(): void;
  /** Resets the connections that stall. */
  release(): void;
  close(): Promise<void>;
}

/** One request on its way through, and what is to happen to it. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly socket: Socket;
  readonly upstream: string;
  readonly fault: Fault | undefined;
}

const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade'];
const SLICE = 16 << 10;

/** One direction of the link: bytes leave one after the other, at its rate. */
class Lane {
  #free = 0;

  async pass(bytes: number, rate: number | undefined): Promise<void> {
    if (rate === undefined) return;
    const now = performance.now();
    this.#free = Math.max(now, this.#free) + (bytes / rate) * 1000;
    if (this.#free - now > 1) await sleep(this.#free - now);
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

class Proxy implements FaultProxy {
  readonly host: string;
  readonly store: { readonly url: string; readonly host: string; readonly seen: Seen[] };
  readonly seen: Seen[] = [];
  sent = 0;
  received = 0;
  link: Link;
  fault: (seen: Seen) => Fault | undefined = () => undefined;
  storeFault: (seen: Seen) => Fault | undefined = () => undefined;
  readonly #servers: readonly Server[];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #down = new Lane();
  readonly #up = new Lane();
  readonly #greeted = new WeakSet<Socket>();
  readonly #tickets = new Set<string>();
  #stalled = new AbortController();

  constructor(options: FaultProxyOptions, servers: readonly Server[], host: string, storeHost: string) {
    this.link = options.link ?? {};
    this.#servers = servers;
    this.host = host;
    this.store = { host: storeHost, url: `http://${storeHost}`, seen: [] };
    const [front, back] = servers;
    front?.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const seen = note(this.seen, incoming);
      this.#serve(incoming, outgoing, options.upstream, this.fault(seen));
    });
    back?.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const seen = note(this.store.seen, incoming);
      const url = new URL(incoming.url ?? '/', this.store.url);
      const good = this.#tickets.has(url.searchParams.get('ticket') ?? '');
      incoming.url = url.pathname;
      const fault = this.storeFault(seen) ?? (good ? undefined : ({ kind: 'status', status: 403 } as const));
      this.#serve(incoming, outgoing, options.storeUpstream ?? options.upstream, fault);
    });
  }

  get url(): string {
    return `http://${this.host}`;
  }

  reset(): void {
    this.seen.length = 0;
    this.store.seen.length = 0;
    this.sent = 0;
    this.received = 0;
  }

  expire(): void {
    this.#tickets.clear();
  }

  release(): void {
    this.#stalled.abort();
    this.#stalled = new AbortController();
  }

  async close(): Promise<void> {
    this.release();
    this.#agent.destroy();
    await Promise.all(
      this.#servers.map(async (server) => {
        server.closeAllConnections();
        await new Promise((resolve) => {
          server.close(resolve);
        });
      }),
    );
  }

  #serve(incoming: IncomingMessage, outgoing: ServerResponse, upstream: string, fault: Fault | undefined): void {
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
    const { socket } = incoming;
    this.#answer({ incoming, outgoing, socket, upstream, fault }).catch(() => socket.destroy());
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { incoming, outgoing, socket, fault } = exchange;
    const { rtt } = this.link;
    if (rtt !== undefined) await sleep(this.#greeted.has(socket) ? rtt : 2 * rtt);
    this.#greeted.add(socket);
    if (fault?.kind === 'status') {
      incoming.resume();
      outgoing.writeHead(fault.status, { 'content-length': '0', ...fault.headers }).end();
      return;
    }
    if (fault?.kind === 'redirect') {
      const ticket = randomUUID();
      this.#tickets.add(ticket);
      const target = new URL(incoming.url ?? '/', this.store.url);
      target.searchParams.set('ticket', ticket);
      outgoing.writeHead(307, { location: target.href, 'content-length': '0' }).end();
      return;
    }
    const answer = await this.#forward(exchange);
    const headers: Record<string, string | string[] | undefined> = { ...answer.headers };
    for (const name of HOP_BY_HOP) delete headers[name];
    if (fault?.kind === 'whole' && fault.chunked) delete headers['content-length'];
    if (fault?.kind === 'headers') Object.assign(headers, fault.headers);
    for (const [name, value] of Object.entries(headers)) if (value === '' || value === undefined) delete headers[name];
    outgoing.writeHead(answer.statusCode ?? 502, headers as Record<string, string>);
    outgoing.flushHeaders();
    await this.#send(answer, exchange);
  }

  /** Sends the request on, at the link's rate, and resolves to the answer's head. */
  async #forward({ incoming, socket, upstream, fault }: Exchange): Promise<IncomingMessage> {
    const headers = { ...incoming.headers };
    if (fault?.kind === 'whole') delete headers.range;
    const onward = request(new URL(incoming.url ?? '/', upstream), {
      method: incoming.method ?? 'GET',
      headers,
      agent: this.#agent,
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      onward.once('response', resolve).on('error', reject);
    });
    answer.catch(() => socket.destroy());
    let had = 0;
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      await this.#up.pass(chunk.length, this.link.rate);
      had += chunk.length;
      this.received += chunk.length;
      if (fault?.kind === 'cut-upload' && had > fault.after) {
        onward.write(chunk.subarray(0, chunk.length - (had - fault.after)));
        await sleep(50); // what was sent arrives before the connection ends
        onward.destroy();
        socket.resetAndDestroy();
        break;
      }
      if (!onward.write(chunk)) await drained(onward);
    }
    onward.end();
    return await answer;
  }

  /** Sends the answer's body, at the link's rate, as far as the fault lets it. */
  async #send(answer: IncomingMessage, { outgoing, socket, fault }: Exchange): Promise<void> {
    const limit =
      fault !== undefined && 'after' in fault && fault.kind !== 'cut-upload' ? (fault.after ?? Infinity) : Infinity;
    let sent = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length && sent < limit; at += SLICE) {
        const slice = chunk.subarray(at, Math.min(at + SLICE, at + limit - sent));
        await this.#down.pass(slice.length, this.link.rate);
        if (outgoing.destroyed) return;
        sent += slice.length;
        this.sent += slice.length;
        if (!outgoing.write(slice)) await drained(outgoing);
      }
      if (sent >= limit) break;
    }
    if (sent < limit) {
      outgoing.end();
      return;
    }
    await sleep(20); // what was sent arrives before the connection ends
    if (fault?.kind === 'reset') socket.resetAndDestroy();
    else if (fault?.kind === 'stall') await sleep(600_000, undefined, { signal: this.#stalled.signal, ref: false });
    else socket.destroySoon();
  }
}

/** Resolves when there is room to write again, or nobody to write to. */
async function drained(outgoing: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done);
      resolve();
    };
    outgoing.on('drain', done).on('close', done);
  });
}

function note(list: Seen[], incoming: IncomingMessage): Seen {
  const seen = {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: { ...incoming.headers },
    number: list.length,
  };
  list.push(seen);
  return seen;
}

/** Starts proxy and store on free ports of 127.0.0.1. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const servers = [createServer({ requestTimeout: 0 }), createServer({ requestTimeout: 0 })] as const;
  return new Proxy(options, servers, await listen(servers[0]), await listen(servers[1]));
}
