// SPDX-License-Identifier: GPL-3.0-or-later

/** What to put into Authorization for one registry: basic credentials, or bearer tokens bought with them. */

import { isDeepStrictEqual } from 'node:util';
import { CrfsError } from '../errors/error.js';
import { nameOf } from '../http/failure.js';
import { patient, type RetryPolicy, retrying } from '../http/retry.js';
import type { Transport } from '../http/transport.js';
import { type Challenge, parseChallenges } from './challenge.js';
import type { CredentialStores } from './credential-stores.js';
import type { Credentials } from './credentials.js';
import { basic, fetchToken, type Token, tokenRequest } from './token.js';

/** What is to be done, to which repository: `pull`, or `pull,push`. */
export interface Scope {
  readonly repository: string;
  readonly actions: 'pull' | 'pull,push';
}

function scopesOf(scopes: readonly Scope[]): string[] {
  return scopes.map(({ repository, actions }) => `repository:${repository}:${actions}`);
}

/** Whether `scope` grants nothing that `ours` do not: the order of actions does not matter. */
function covers(ours: readonly string[], scope: string): boolean {
  const [resource, actions] = splitScope(scope);
  return ours
    .map(splitScope)
    .some(([name, granted]) => name === resource && actions.every((action) => granted.includes(action)));
}

function splitScope(scope: string): [resource: string, actions: string[]] {
  const colon = scope.lastIndexOf(':');
  return [scope.slice(0, colon), scope.slice(colon + 1).split(',')];
}

export type CredentialFinder = Pick<CredentialStores, 'find' | 'complaint' | 'forget'>;

export interface AuthorizerOptions {
  readonly transport: Transport;
  readonly credentials: CredentialFinder;
  /** `host[:port]`, as credentials are kept under it. */
  readonly registry: string;
  readonly insecure: boolean;
  readonly policy?: RetryPolicy;
}

export class Authorizer {
  readonly #options: AuthorizerOptions;
  #challenge: Challenge | undefined;
  /** Scopes that the registry has named beyond those that we ask for, by ours. */
  readonly #named = new Map<string, readonly string[]>();
  /** By scopes; one that is being fetched is shared. */
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The header's value for a request, or undefined where the registry has not asked for any, or there is nothing to show. */
  async header(scopes: readonly Scope[]): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    if (challenge.scheme === 'basic') {
      const credentials = await this.#credentials(scopes);
      return credentials?.kind === 'basic' ? basic(credentials) : undefined;
    }
    return `Bearer ${(await this.#token(challenge, scopes)).value}`;
  }

  /**
   * Takes in that the registry, at `from`, has refused a request that had `sent` in Authorization. Returns whether another
   * header can be had, so that asking again makes sense.
   */
  async refused(
    authenticate: string | undefined,
    from: URL,
    sent: string | undefined,
    scopes: readonly Scope[],
  ): Promise<boolean> {
    const challenges = parseChallenges(authenticate ?? '');
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm')) ??
      challenges.find(({ scheme }) => scheme === 'basic') ??
      this.#challenge;
    if (challenge === undefined) return false;
    if (challenge.scheme === 'bearer') this.#checkRealm(challenge, from);
    this.#challenge = challenge;
    const ours = scopesOf(scopes);
    const named =
      challenge.parameters
        .get('scope')
        ?.split(' ')
        .filter((scope) => scope !== '' && !covers(ours, scope)) ?? [];
    if (named.length > 0) this.#named.set(ours.join(' '), named.slice(0, 8));
    if (challenge.scheme === 'basic') await this.#doubtCredentials(sent, scopes);
    else await this.#forget(sent, scopes);
    const next = await this.header(scopes);
    return next !== undefined && next !== sent;
  }

  /** Why a place that may have credentials could not be asked, where the registry has asked for some. */
  get complaint(): string | undefined {
    return this.#challenge && this.#options.credentials.complaint(this.#options.registry);
  }

  /** Has credentials that were sent be looked for anew, unless others have taken their place since. */
  async #doubtCredentials(sent: string | undefined, scopes: readonly Scope[]): Promise<void> {
    if (sent !== undefined && (await this.header(scopes)) === sent) this.forgetCredentials();
  }

  /** Whatever was found, or not, did not do: it is looked for anew by the next request. */
  forgetCredentials(): void {
    this.#options.credentials.forget(this.#options.registry);
  }

  /** Drops the token that was sent, unless another has taken its place since. */
  async #forget(sent: string | undefined, scopes: readonly Scope[]): Promise<void> {
    const key = this.#wanted(scopes).join(' ');
    const held = this.#tokens.get(key);
    const token = await held?.catch(() => undefined);
    if (token !== undefined && `Bearer ${token.value}` === sent && this.#tokens.get(key) === held)
      this.#tokens.delete(key);
  }

  #wanted(scopes: readonly Scope[]): string[] {
    const ours = scopesOf(scopes);
    return [...ours, ...(this.#named.get(ours.join(' ')) ?? [])];
  }

  async #token(challenge: Challenge, scopes: readonly Scope[]): Promise<Token> {
    const wanted = this.#wanted(scopes);
    const key = wanted.join(' ');
    const held = this.#tokens.get(key);
    const token = await held;
    if (token !== undefined && token.expires > performance.now()) return token;
    const current = this.#tokens.get(key);
    if (current !== undefined && current !== held) return await current;
    const fetched = this.#fetch(challenge, wanted, scopes);
    this.#tokens.set(key, fetched);
    fetched.catch(() => this.#tokens.delete(key));
    return await fetched;
  }

  async #fetch(challenge: Challenge, wanted: readonly string[], scopes: readonly Scope[]): Promise<Token> {
    const had = await this.#credentials(scopes);
    try {
      return await this.#buy(challenge, wanted, had);
    } catch (error) {
      if (!(error instanceof CrfsError) || error.code !== 'CRFS_DENIED') throw error;
      this.forgetCredentials();
      const fresh = await this.#credentials(scopes);
      if (isDeepStrictEqual(fresh, had)) throw error;
      return await this.#buy(challenge, wanted, fresh);
    }
  }

  async #buy(challenge: Challenge, wanted: readonly string[], credentials: Credentials | undefined): Promise<Token> {
    const { transport, registry, insecure, policy = patient } = this.#options;
    const request = tokenRequest(challenge, wanted, credentials, insecure);
    return await retrying(policy, async () => await fetchToken(transport, request, registry));
  }

  async #credentials(scopes: readonly Scope[]): Promise<Credentials | undefined> {
    const { credentials, registry } = this.#options;
    return await credentials.find(registry, scopes[0]?.repository ?? '');
  }

  /** Credentials will be sent to the realm: it must be as safe as the registry that names it. */
  #checkRealm({ parameters }: Challenge, from: URL): void {
    const realm = parameters.get('realm') ?? '';
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    const safe =
      url?.protocol === 'https:' ||
      (url?.protocol === 'http:' && (from.protocol === 'http:' || this.#options.insecure));
    if (safe && url?.username === '' && url.password === '') return;
    const isWeb = url !== undefined && /^https?:$/.test(url.protocol);
    const what = isWeb ? nameOf(url) : 'it is no https:// or http:// URL';
    throw new CrfsError('CRFS_DENIED', `${this.#options.registry} names a token server that may not be asked: ${what}`);
  }
}
