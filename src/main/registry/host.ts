// SPDX-License-Identifier: GPL-3.0-or-later

/** One registry host: http or https, its API's paths, and authorization. */

import { CrfsError } from '../errors/error.js';
import { nameOf } from '../http/failure.js';
import { isLoopback } from '../http/loopback.js';
import { likeSpoken, sendFollowing } from '../http/redirect.js';
import { refusal } from '../http/status.js';
import { speaksTls } from '../http/tls-probe.js';
import type { HttpRequest, HttpResponse, Transport } from '../http/transport.js';
import { Authorizer, type AuthorizerOptions, type Scope } from './authorizer.js';
import type { Endpoint } from './endpoints.js';

/** Rounds of authorization for one request: without, with a token, with a fresh token. */
const ROUNDS = 3;
/** Milliseconds that a host which could not be reached is left alone where there is another one. */
const DOWN_MS = 30_000;

export interface HostRequest {
  readonly method: HttpRequest['method'];
  /** Behind `/v2/`, or a URL that the registry has named (for uploads). */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  readonly scopes: readonly Scope[];
  readonly signal?: AbortSignal | undefined;
}

/** What has come from `from`, or from where that has sent us. */
interface Answer {
  readonly from: URL;
  readonly response: HttpResponse;
}

/** Whether a registry is this machine: then plain http will do, as no network is between. */
function isHere(registry: string): boolean {
  return isLoopback(registry.replace(/:\d+$/, ''));
}

/** The host that serves the API of a registry. */
function apiHost(registry: string): string {
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry;
}

export class Host {
  readonly insecure: boolean;
  readonly #registry: string;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  #base: URL | undefined;
  /** Until when, as performance.now() has it, the host is taken to be down. */
  #down = 0;

  constructor(
    { registry, insecure }: Pick<Endpoint, 'registry' | 'insecure'>,
    options: Omit<AuthorizerOptions, 'registry' | 'insecure'>,
  ) {
    this.#registry = registry;
    this.insecure = insecure;
    this.#transport = options.transport;
    this.#authorizer = new Authorizer({ ...options, registry, insecure });
  }

  /** Whether the host could not be reached a short while ago. */
  get down(): boolean {
    return this.#down > performance.now();
  }

  /**
   * Sends a request with the authorization that the registry asks for, and follows redirects. `from` is the URL that was asked.
   * Rejects with a CrfsError, a TransientError where it is worth trying again.
   */
  async send(request: HostRequest): Promise<Answer> {
    try {
      const answer = await this.#sendAuthorized(request);
      const { status } = answer.response;
      if (status !== 401 && status !== 403) return answer;
      this.#authorizer.forgetCredentials();
      if (this.#authorizer.complaint === undefined) return answer;
      throw await refusal(answer.response, `${request.method} ${nameOf(answer.from)}`);
    } catch (error) {
      const { complaint } = this.#authorizer;
      if (complaint === undefined || !(error instanceof CrfsError) || error.code !== 'CRFS_DENIED') throw error;
      throw new CrfsError(error.code, `${error.message}; ${complaint}`, { cause: error });
    }
  }

  async #sendAuthorized(request: HostRequest): Promise<Answer> {
    for (let round = 1; ; round++) {
      const authorization = await this.#authorizer.header(request.scopes);
      const { from, response } = await this.#ask(request, authorization);
      const stale = response.status === 400 && authorization?.startsWith('Bearer ');
      if (!(response.status === 401 || stale) || round === ROUNDS || response.url.origin !== from.origin)
        return { from, response };
      const error = await refusal(response, `${request.method} ${nameOf(from)}`);
      const authenticate = response.header('www-authenticate');
      if (!(await this.#authorizer.refused(authenticate, from, authorization, request.scopes))) throw error;
    }
  }

  /** Asks by https, or by http where that will do and https is not spoken. What has answered is asked from then on. */
  async #ask(request: HostRequest, authorization: string | undefined): Promise<Answer> {
    const bases = this.#base === undefined ? await this.#bases() : [this.#base];
    for (const [index, base] of bases.entries()) {
      const from = likeSpoken(new URL(request.path, base), base);
      if (base.protocol === 'https:' && from.protocol === 'http:' && !this.insecure) {
        throw new CrfsError(
          'CRFS_DENIED',
          `${this.#registry} names a place without TLS, ${nameOf(from)}: refused to go there`,
        );
      }
      const own = from.origin === base.origin;
      const headers = { ...request.headers, ...(authorization !== undefined && own && { authorization }) };
      try {
        const response = await sendFollowing(this.#transport, {
          ...request,
          url: from,
          headers,
          insecure: this.insecure,
        });
        this.#base = base;
        this.#down = 0;
        return { from, response };
      } catch (error) {
        const unanswered = error instanceof CrfsError && error.code === 'CRFS_UNREACHABLE';
        if (unanswered && index < bases.length - 1 && !request.signal?.aborted) continue;
        if (unanswered) this.#down = performance.now() + DOWN_MS;
        throw error;
      }
    }
    throw new CrfsError('CRFS_INTERNAL', `no way to ask ${this.#registry}`);
  }

  async #bases(): Promise<URL[]> {
    let schemes = this.insecure ? ['https', 'http'] : ['https'];
    if (isHere(this.#registry)) schemes = [(await speaksTls(this.#registry)) ? 'https' : 'http'];
    return schemes.map((scheme) => new URL(`${scheme}://${apiHost(this.#registry)}/v2/`));
  }
}
