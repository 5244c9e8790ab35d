// SPDX-License-Identifier: GPL-3.0-or-later

/** Redirects, followed by hand: what may be sent where, and for how long a target is good. */

import { CrfsError } from '../errors/error.js';
import { nameOf } from './failure.js';
import type { HttpRequest, HttpResponse, Transport } from './transport.js';

const LIMIT = 5;
const SAME_METHOD: ReadonlySet<number> = new Set([307, 308]);
const ANY: ReadonlySet<number> = new Set([301, 302, 303, ...SAME_METHOD]);
/** What a redirect's target answers when its URL has expired, or its object has moved. */
const EXPIRED: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

/** The URL that a server at `from` has named, by TLS where that server is meant: behind proxies that end TLS, many do not know of it. */
export function likeSpoken(named: URL, from: URL): URL {
  if (from.protocol !== 'https:' || named.protocol !== 'http:' || named.hostname !== from.hostname) return named;
  return new URL(`${from.origin}${named.pathname}${named.search}`);
}

function targetOf(response: HttpResponse, request: HttpRequest): URL {
  const location = response.header('location');
  const asked = `${request.method} ${nameOf(request.url)}`;
  const target =
    location !== undefined && URL.canParse(location, response.url.href)
      ? likeSpoken(new URL(location, response.url), response.url)
      : undefined;
  if (target === undefined || !/^https?:$/.test(target.protocol)) {
    throw new CrfsError('CRFS_UNREACHABLE', `${asked}: answered ${response.status} without a usable Location`);
  }
  if (response.url.protocol === 'https:' && target.protocol === 'http:' && !request.insecure) {
    throw new CrfsError('CRFS_DENIED', `${asked}: refused to be redirected from https to http (${target.host})`);
  }
  target.username = '';
  target.password = '';
  return target;
}

/** Sends a request and follows at most 5 redirects. Its `authorization` header goes to the origin of its URL alone, as does a secret body. */
export async function sendFollowing(
  transport: Transport,
  request: HttpRequest,
  { isSecret = false } = {},
): Promise<HttpResponse> {
  const { authorization: _, ...anonymous } = request.headers ?? {};
  let url = request.url;
  for (let hops = 0; hops <= LIMIT; hops++) {
    const headers = url.origin === request.url.origin ? (request.headers ?? {}) : anonymous;
    const response = await transport.send({ ...request, url, headers });
    if (!(request.method === 'GET' || request.method === 'HEAD' ? ANY : SAME_METHOD).has(response.status))
      return response;
    await response.discard();
    url = targetOf(response, request);
    if (isSecret && url.origin !== request.url.origin) {
      const asked = `${request.method} ${nameOf(request.url)}`;
      throw new CrfsError('CRFS_DENIED', `${asked}: refused to take credentials on to ${url.host}`);
    }
  }
  throw new CrfsError('CRFS_UNREACHABLE', `${request.method} ${nameOf(request.url)}: more than ${LIMIT} redirects`);
}

/** Asks the place itself, with whatever credentials it wants, following redirects. `from` is where it asked. */
export type Ask = (
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
) => Promise<{ readonly from: URL; readonly response: HttpResponse }>;

/** GETs one thing again and again: where a redirect led to is asked at once the next time, until that URL expires. */
export class RedirectCache {
  readonly #transport: Transport;
  readonly #insecure: boolean;
  readonly #ask: Ask;
  #target: URL | undefined;

  constructor(transport: Transport, insecure: boolean, ask: Ask) {
    this.#transport = transport;
    this.#insecure = insecure;
    this.#ask = ask;
  }

  /** GETs with `headers`. Rejects as Transport.send does, and where redirects go astray. */
  async get(headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<HttpResponse> {
    const target = this.#target;
    if (target !== undefined) {
      const response = await this.#revisit(target, headers, signal);
      if (response !== undefined) return response;
    }
    const { from, response } = await this.#ask(headers, signal);
    if (response.url.origin !== from.origin && response.status < 300) this.#target = response.url;
    return response;
  }

  /** Undefined if the URL has expired. One that fails or has expired is forgotten. */
  async #revisit(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<HttpResponse | undefined> {
    let response: HttpResponse | undefined;
    try {
      response = await sendFollowing(this.#transport, {
        method: 'GET',
        url,
        headers,
        insecure: this.#insecure,
        signal,
      });
      if (!EXPIRED.has(response.status)) return response;
      await response.discard();
      return undefined;
    } finally {
      if (this.#target === url && (response === undefined || EXPIRED.has(response.status))) this.#target = undefined;
    }
  }
}
