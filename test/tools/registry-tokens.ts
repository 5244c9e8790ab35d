// SPDX-License-Identifier: GPL-3.0-or-later

/** A token server as registries use it (distribution specification, token authentication), with tokens that are good until another key signs. */

import { createSign, randomUUID, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { endServer, listen } from './local-server.js';
import { PASSWORD, USER } from './registry.js';
import type { Pair } from './registry-certs.js';

/** docker-registry accepts a token for so many seconds after it has expired. */
const LEEWAY = 60;
/** Seconds until the registry refuses a token. */
const LIFE = 3600;
export const REFRESH_TOKEN = 'refresh-token-of-alice';

export interface TokenServer {
  readonly url: string;
  /** For the registry's configuration. */
  readonly auth: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly certificate: string;
  };
  /** Seconds until a token ends, as its holder is told: the registry takes it for LIFE. */
  told: number;
  /** Signs with another key from now on. A registry that is started with `auth` then refuses all tokens of before. */
  sign(signer: Pair): Promise<void>;
  /** What was asked for, and by whom. */
  readonly seen: {
    readonly scopes: readonly string[];
    readonly authorization: string | undefined;
    readonly method: string;
  }[];
  close(): Promise<void>;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

async function readPair({ key, certificate }: Pair): Promise<{ key: Buffer; chain: string }> {
  const { raw } = new X509Certificate(await readFile(certificate));
  return { key: await readFile(key), chain: raw.toString('base64') };
}

/** Hands out tokens for everything that is asked for, to whoever logs in as USER, or has REFRESH_TOKEN. */
export async function startTokenServer(signer: Pair): Promise<TokenServer> {
  let { key, chain } = await readPair(signer);
  const service = 'test registry';

  const issue = (scopes: readonly string[]): string => {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',') };
    });
    const times = { exp: now - LEEWAY + LIFE, nbf: now - 2 * LEEWAY, iat: now };
    const claims = { iss: 'test issuer', sub: USER, aud: service, jti: randomUUID(), ...times, access };
    const signed = `${encode({ typ: 'JWT', alg: 'ES256', x5c: [chain] })}.${encode(claims)}`;
    const signature = createSign('sha256').update(signed).sign({ key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  };

  const answer = async (request: IncomingMessage): Promise<string | undefined> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const form = request.method === 'POST' ? new URLSearchParams(await text(request)) : url.searchParams;
    const scopes = form.getAll('scope').flatMap((scope) => scope.split(' '));
    const { authorization } = request.headers;
    server.seen.push({ scopes, authorization, method: request.method ?? '' });
    const login = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
    if (authorization !== login && form.get('refresh_token') !== REFRESH_TOKEN) return undefined;
    return JSON.stringify({ token: issue(scopes), expires_in: server.told });
  };

  const http = createServer((request, response) => {
    answer(request).then(
      (body) => response.writeHead(body === undefined ? 401 : 200, { 'content-type': 'application/json' }).end(body),
      () => response.destroy(),
    );
  });
  const url = `http://${await listen(http)}`;
  const server: TokenServer & { auth: TokenServer['auth'] } = {
    url,
    auth: { realm: `${url}/token`, service, issuer: 'test issuer', certificate: signer.certificate },
    told: LIFE,
    seen: [],
    async sign(other) {
      ({ key, chain } = await readPair(other));
      server.auth = { ...server.auth, certificate: other.certificate };
    },
    close: () => endServer(http),
  };
  return server;
}
