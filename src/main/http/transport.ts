// SPDX-License-Identifier: GPL-3.0-or-later

/** One HTTP request and its answer: pools of connections, TLS, proxies. Neither redirects nor retries. */

import type { SecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import type { Environment } from '../environment/environment.js';
import { processEnvironment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { certsDirectory, secureContext } from './certs.js';
import { failure, isLasting, nameOf } from './failure.js';
import { paced } from './paced.js';
import { proxyFor } from './proxies.js';
import { Agent, ProxyAgent } from './undici.js';

/** Connections to one host, at most: as many as an image of 30 layers asks for at once. */
const CONNECTIONS = 32;
const CONNECT_MS = 10_000;
/** An idle connection is kept for this long unless the server says otherwise. */
const IDLE_MS = 30_000;
/** What is read of an answer that nobody wants, to keep its connection. */
const DISCARD_LIMIT = 64 << 10;

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once for each time that the request is sent. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  /** Do not check the server's certificate. */
  readonly insecure?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  /** Where the answer came from, behind redirects. */
  readonly url: URL;
  readonly status: number;
  /** A header that came more than once, joined by commas. */
  header(name: string): string | undefined;
  /** The body, once. Fails with a CrfsError. Stopping early ends the connection. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Reads the whole body. Rejects with CRFS_BAD_LAYER if it has more than `limit` bytes. */
  bytes(limit: number): Promise<Uint8Array>;
  /** Gives the body up, keeping the connection where little is left. */
  discard(): Promise<void>;
}

export interface TransportOptions {
  readonly environment?: Environment;
  /** The directory of certificates for every host, instead of those in certs.d. */
  readonly certs?: string;
  /** Milliseconds without progress after which a transfer is given up. */
  readonly stall?: number;
}

interface TlsOptions {
  readonly secureContext?: SecureContext;
  readonly rejectUnauthorized?: boolean;
}

interface Proxy {
  readonly uri: string;
  readonly proxyTls?: TlsOptions;
}

class Response implements HttpResponse {
  readonly url: URL;
  readonly status: number;
  readonly #data: Dispatcher.ResponseData;
  readonly #asked: string;
  readonly #stall: number;
  readonly #signal: AbortSignal | undefined;

  constructor(request: HttpRequest, data: Dispatcher.ResponseData, asked: string, stall: number) {
    this.url = request.url;
    this.status = data.statusCode;
    this.#data = data;
    this.#asked = asked;
    this.#stall = stall;
    this.#signal = request.signal;
  }

  header(name: string): string | undefined {
    const value = this.#data.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* paced(this.#data.body as AsyncIterable<Uint8Array>, this.#stall, this.#asked);
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw failure(error, this.#asked, this.url.host);
    }
  }

  async bytes(limit: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.chunks()) {
      size += chunk.length;
      if (size > limit)
        throw new CrfsError('CRFS_BAD_LAYER', `${this.#asked}: the answer is larger than ${limit} bytes`);
      parts.push(chunk);
    }
    return Buffer.concat(parts, size);
  }

  async discard(): Promise<void> {
    await this.#data.body.dump({ limit: DISCARD_LIMIT }).catch(() => this.#data.body.destroy());
  }
}

export class Transport {
  readonly #environment: Environment;
  readonly #stall: number;
  readonly #certsGiven: string | undefined;
  /** Directories of certificates, by host. */
  readonly #certs = new Map<string, Promise<string | undefined>>();
  /** By what they trust, and the proxy that they go through. */
  readonly #agents = new Map<string, Promise<Dispatcher>>();
  /** Origins that have answered. */
  readonly #answered = new Set<string>();

  constructor(options: TransportOptions = {}) {
    this.#environment = options.environment ?? processEnvironment;
    this.#stall = options.stall ?? 30_000;
    this.#certsGiven = options.certs;
  }

  /** Rejects with a CrfsError, a TransientError where it is worth trying again, and with the signal's reason. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, signal } = request;
    const asked = `${method} ${nameOf(url)}`;
    const insecure = request.insecure ?? false;
    const secure = url.protocol === 'https:';
    const certs = secure ? await this.#certsFor(url.host) : undefined;
    const proxy = proxyFor(url, this.#environment.env);
    const key = JSON.stringify([proxy, secure && [insecure, certs]]);
    const agent = await this.#agent(key, async () =>
      this.#open(
        secure ? await this.#tls(certs, insecure) : {},
        proxy === undefined ? undefined : await this.#proxy(proxy),
      ),
    );
    const body = request.body?.();
    try {
      const data = await agent.request({
        method,
        origin: url.origin,
        path: url.pathname + url.search,
        headers: { 'user-agent': 'crfs-plugin', 'accept-encoding': 'identity', ...request.headers },
        ...(body !== undefined && { body: body as Uint8Array }), // an async iterable is as good, unknown to the types
        ...(signal && { signal }),
      });
      this.#answered.add(url.origin);
      return new Response(request, data, asked, this.#stall);
    } catch (error) {
      signal?.throwIfAborted();
      const failed = failure(error, asked, url.host);
      if (failed.code === 'CRFS_DENIED') await this.#distrust(url.host, key);
      if (isLasting(error, url) && proxy === undefined && !this.#answered.has(url.origin))
        throw new CrfsError(failed.code, failed.message, { cause: error });
      throw failed;
    }
  }

  /** Ends all connections. Requests under way fail. */
  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.allSettled(agents.map(async (agent) => await (await agent).destroy()));
  }

  async #certsFor(host: string): Promise<string | undefined> {
    if (this.#certsGiven !== undefined) return this.#certsGiven;
    const found = this.#certs.get(host) ?? certsDirectory(host, this.#environment);
    this.#certs.set(host, found);
    found.catch(() => this.#certs.delete(host));
    return await found;
  }

  /** Forgets what a host's certificate was checked against: a CA that is put into certs.d is then found by the next request. */
  async #distrust(host: string, key: string): Promise<void> {
    const agent = await this.#agents.get(key);
    this.#certs.delete(host);
    this.#agents.delete(key);
    agent?.close().catch(() => agent.destroy());
  }

  async #agent(key: string, open: () => Promise<Dispatcher>): Promise<Dispatcher> {
    const known = this.#agents.get(key);
    if (known !== undefined) return await known;
    const agent = open();
    this.#agents.set(key, agent);
    agent.catch(() => this.#agents.delete(key));
    return await agent;
  }

  async #tls(certs: string | undefined, insecure: boolean): Promise<TlsOptions> {
    const context = await secureContext(certs, this.#environment, { roots: !insecure });
    return { secureContext: context, rejectUnauthorized: !insecure };
  }

  /** One that is asked by TLS is checked against the CAs of the system. */
  async #proxy(uri: string): Promise<Proxy> {
    return { uri, ...(new URL(uri).protocol === 'https:' && { proxyTls: await this.#tls(undefined, false) }) };
  }

  #open(tls: TlsOptions, proxy: Proxy | undefined): Dispatcher {
    const options = {
      connections: CONNECTIONS,
      headersTimeout: this.#stall,
      bodyTimeout: this.#stall,
      keepAliveTimeout: IDLE_MS,
    };
    if (proxy === undefined) return new Agent({ ...options, connect: { ...tls, timeout: CONNECT_MS } });
    return new ProxyAgent({ ...options, ...proxy, requestTls: tls, proxyTunnel: false });
  }
}
