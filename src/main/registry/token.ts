// SPDX-License-Identifier: GPL-3.0-or-later

/** Buying one bearer token from the server that a registry names. */

import * as v from 'valibot';
import { nameOf } from '../http/failure.js';
import { sendFollowing } from '../http/redirect.js';
import { isSuccess, refusal } from '../http/status.js';
import type { HttpRequest, Transport } from '../http/transport.js';
import { checkJson } from '../schema/check.js';
import { anyText, table } from '../schema/schemas.js';
import type { Challenge } from './challenge.js';
import type { Credentials } from './credentials.js';

const ANSWER_LIMIT = 1 << 20;
/** Seconds that a token lives if its server does not say. */
const DEFAULT_LIFE = 60;
/** A token is not used in the last part of its life: this share of it, and at most so many seconds. */
const MARGIN_SHARE = 0.2;
const MARGIN_LIMIT = 10;

export interface Token {
  readonly value: string;
  /** As performance.now() has it, so that no clock but our own matters. */
  readonly expires: number;
}

/** The value of Authorization for basic authentication. */
export function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** The request for a token, for these scopes: a refresh token is posted (OAuth 2), anything else is a GET (distribution specification). */
export function tokenRequest(
  challenge: Challenge,
  wanted: readonly string[],
  credentials: Credentials | undefined,
  insecure: boolean,
): HttpRequest {
  const url = new URL(challenge.parameters.get('realm') ?? '');
  const service = challenge.parameters.get('service');
  const query = new URLSearchParams(service === undefined ? [] : [['service', service]]);
  if (credentials?.kind === 'identity') {
    query.append('grant_type', 'refresh_token');
    query.append('client_id', 'crfs-plugin');
    query.append('refresh_token', credentials.token);
    query.append('scope', wanted.join(' '));
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url, headers, insecure, body: () => Buffer.from(query.toString()) };
  }
  for (const scope of wanted) query.append('scope', scope);
  if (credentials !== undefined) query.append('account', credentials.username);
  for (const [name, value] of query) url.searchParams.append(name, value);
  return { method: 'GET', url, insecure, ...(credentials && { headers: { authorization: basic(credentials) } }) };
}

/** One of the two fields holds the token; what is no string is none. */
const answerSchema = v.pipe(
  table({
    token: v.optional(anyText, ''),
    access_token: v.optional(anyText, ''),
    expires_in: v.fallback(v.pipe(v.union([v.string(), v.number()]), v.transform(Number)), 0), // some state it as text
  }),
  v.transform((answer) => ({ value: (answer.token || answer.access_token).trim(), life: answer.expires_in })),
  v.check(({ value }) => /^[\x21-\x7e]+$/.test(value), 'an object with a token'),
);

function readToken(body: Uint8Array, began: number, server: string): Token {
  const where = `the answer of the token server ${server}`;
  const answer = checkJson(answerSchema, body, { where, code: 'CRFS_UNREACHABLE', isSecret: true });
  const life = answer.life > 0 ? answer.life : DEFAULT_LIFE;
  return { value: answer.value, expires: began + (life - Math.min(life * MARGIN_SHARE, MARGIN_LIMIT)) * 1000 };
}

/** Sends a token request, once; a redirect takes no credentials to another host. Rejects with CRFS_DENIED or CRFS_UNREACHABLE; the latter is transient where that may help. */
export async function fetchToken(transport: Transport, request: HttpRequest, registry: string): Promise<Token> {
  const began = performance.now();
  const response = await sendFollowing(transport, request, { isSecret: request.body !== undefined });
  if (!isSuccess(response)) throw await refusal(response, `no token for ${registry}`);
  return readToken(await response.bytes(ANSWER_LIMIT), began, nameOf(response.url));
}
