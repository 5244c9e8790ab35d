// SPDX-License-Identifier: GPL-3.0-or-later

/** A blob at a URL. */

import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { nameOf } from '../http/failure.js';
import { RangeSource } from '../http/range-source.js';
import { RedirectCache, sendFollowing } from '../http/redirect.js';
import { patient, type RetryPolicy } from '../http/retry.js';
import type { Transport } from '../http/transport.js';
import { basic } from '../registry/token.js';

export interface HttpSource extends StreamSource {
  /** What tells this version of the blob from others, as far as the server says: an ETag or a time. */
  readonly validator: string | undefined;
}

export interface HttpSourceOptions {
  readonly transport: Transport;
  /** A directory for the temporary file that holds the whole blob where the server knows no ranges. */
  readonly spool: string;
  readonly policy?: RetryPolicy;
  /** Do not check the server's certificate. */
  readonly insecure?: boolean;
  readonly signal?: AbortSignal;
}

function authorizationOf({ username, password }: URL): { readonly authorization?: string } {
  if (username === '') return {};
  try {
    return { authorization: basic({ username: decodeURIComponent(username), password: decodeURIComponent(password) }) };
  } catch {
    throw new CrfsError('CRFS_USAGE', 'the URL has credentials that are not percent-encoded as they should be'); // and shows none
  }
}

/**
 * Opens the blob at an `https:` or `http:` URL, learning its size by one request. Credentials in the URL go to its host alone.
 * Rejects with a CrfsError. Reads reject with CRFS_NOT_FOUND once the blob behind the URL has been replaced.
 */
export async function openHttpSource(url: string, options: HttpSourceOptions): Promise<HttpSource> {
  const { transport, spool, policy = patient, insecure = false, signal } = options;
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target === undefined || !/^https?:$/.test(target.protocol)) {
    const why = /^https?:/i.test(url) ? 'its host or port makes no sense' : 'it must start with https:// or http://';
    throw new CrfsError('CRFS_USAGE', `not a URL of a layer: ${why}`);
  }
  const authorization = authorizationOf(target);
  target.username = '';
  target.password = '';
  target.hash = '';
  const redirects = new RedirectCache(transport, insecure, async (headers, aborted) => {
    const request = {
      method: 'GET',
      url: target,
      headers: { ...headers, ...authorization },
      insecure,
      signal: aborted,
    } as const;
    return { from: target, response: await sendFollowing(transport, request) };
  });
  const get = redirects.get.bind(redirects);
  const source = new RangeSource({ name: nameOf(target), get, policy, spool, mutable: true });
  try {
    await source.open(signal);
    return source;
  } catch (error) {
    await source.close();
    throw error;
  }
}
