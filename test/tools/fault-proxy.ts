// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * A reverse proxy that stands for a network, with faults on demand, and answers that wait until the test lets them go (see
 * Gate). It counts what passes.
 *
 *     client ---- proxy.url ----> upstream        every request
 *     client ---- store.url ----> upstream        the other host that a `redirect` fault sends a client to
 */

import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Exchange, type Fault, type Passage } from './fault-proxy-exchange.js';
import { endServer, listen } from './local-server.js';

export type { Fault } from './fault-proxy-exchange.js';

/** A request as it arrived. */
export interface Seen {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly number: number;
}

export interface FaultProxyOptions {
  /** `http://127.0.0.1:port`. */
  readonly upstream: string;
  /** Where the store gets its bytes from, if that is another place. */
  readonly storeUpstream?: string;
}

export interface FaultProxy {
  readonly url: string;
  readonly host: string;
  readonly store: { readonly url: string; readonly host: string; readonly seen: readonly Seen[] };
  readonly seen: readonly Seen[];
  /** Bytes of bodies sent to clients, and received from them, by proxy and store. */
  readonly sent: number;
  readonly received: number;
  /** Where requests go from now on: a server that has come back has another port. */
  upstream: string;
  /** Chooses the fault for each request to the proxy, and to the store. */
  fault: (seen: Seen) => Fault | undefined;
  storeFault: (seen: Seen) => Fault | undefined;
  /** Forgets what was seen and counted. */
  reset(): void;
  /** Ends the life of every URL that a redirect has named so far. */
  expire(): void;
  close(): Promise<void>;
}

/**
 * How many bytes of the answer come before this byte of the whole, going by the range that was asked for: an `after` with
 * which the network has a blob up to there and no further, whatever ranges the client chooses.
 */
export function bytesBefore(position: number, { headers }: Seen): number {
  const first = /^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? '0';
  return Math.max(0, position - Number(first));
}

/** No connection ends for being idle: a slow machine would see that in the middle of a test. */
const PATIENT = { requestTimeout: 0, keepAliveTimeout: 0 };

class Proxy implements FaultProxy, Passage {
  readonly host: string;
  readonly store: { readonly url: string; readonly host: string; readonly seen: Seen[] };
  readonly seen: Seen[] = [];
  sent = 0;
  received = 0;
  upstream: string;
  fault: (seen: Seen) => Fault | undefined = () => undefined;
  storeFault: (seen: Seen) => Fault | undefined = () => undefined;
  readonly agent = new Agent({ keepAlive: true });
  readonly tickets = new Set<string>();
  readonly #servers: readonly Server[];

  constructor(options: FaultProxyOptions, servers: readonly Server[], host: string, storeHost: string) {
    this.upstream = options.upstream;
    this.#servers = servers;
    this.host = host;
    this.store = { host: storeHost, url: `http://${storeHost}`, seen: [] };
    const [front, back] = servers;
    front?.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const seen = note(this.seen, incoming);
      this.#serve(incoming, outgoing, this.upstream, this.fault(seen));
    });
    back?.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      const seen = note(this.store.seen, incoming);
      const url = new URL(incoming.url ?? '/', this.store.url);
      const good = this.tickets.has(url.searchParams.get('ticket') ?? '');
      incoming.url = url.pathname;
      const fault = this.storeFault(seen) ?? (good ? undefined : ({ kind: 'status', status: 403 } as const));
      this.#serve(incoming, outgoing, options.storeUpstream ?? this.upstream, fault);
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
    this.tickets.clear();
  }

  async close(): Promise<void> {
    this.agent.destroy();
    await Promise.all(this.#servers.map(endServer));
  }

  #serve(incoming: IncomingMessage, outgoing: ServerResponse, upstream: string, fault: Fault | undefined): void {
    const { socket } = incoming;
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
    new Exchange(this, incoming, outgoing, fault).run(upstream).catch(() => socket.destroy());
  }
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
  const servers = [createServer(PATIENT), createServer(PATIENT)] as const;
  return new Proxy(options, servers, await listen(servers[0]), await listen(servers[1]));
}
