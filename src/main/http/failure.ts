// SPDX-License-Identifier: GPL-3.0-or-later

/** Errors of sockets, TLS and HTTP, told apart by their codes and said for a person. */

import { CrfsError } from '../errors/error.js';
import { oneLine } from '../errors/one-line.js';
import { isLoopback } from './loopback.js';
import { TransientError } from './retry.js';

const PASSING: ReadonlyMap<string, string> = new Map([
  ['UND_ERR_SOCKET', 'the connection broke'],
  ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time'],
  ['UND_ERR_HEADERS_TIMEOUT', 'no answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'the transfer stalled'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'the answer was cut short'],
  ['ECONNRESET', 'the connection was reset'],
  ['ECONNREFUSED', 'the connection was refused'],
  ['ECONNABORTED', 'the connection was aborted'],
  ['EPIPE', 'the connection broke'],
  ['ETIMEDOUT', 'the connection timed out'],
  ['EHOSTUNREACH', 'no route to the host'],
  ['ENETUNREACH', 'no route to the network'],
  ['ENETDOWN', 'the network is down'],
  ['EAI_AGAIN', 'the name server does not answer'],
  ['ENOTFOUND', 'there is no such host'],
]);

const UNTRUSTED: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const NO_TLS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
]);

function codeOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && at.code !== 'UND_ERR_PRX_TLS') return at.code;
  }
  return '';
}

/**
 * Whether a failure would only be met again: there is no such host, or nobody listens on this machine. Of somebody who has
 * answered before, it may still pass.
 */
export function isLasting(error: unknown, { hostname }: URL): boolean {
  const code = codeOf(error);
  return code === 'ENOTFOUND' || (code === 'ECONNREFUSED' && isLoopback(hostname));
}

/** A URL for messages: no credentials, and no query, which may carry a signature. */
export function nameOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** The CrfsError for what a request, or reading its answer, failed with. `asked` says what was asked for. */
export function failure(error: unknown, asked: string, host: string): CrfsError {
  if (error instanceof CrfsError) return error;
  const code = codeOf(error);
  const passing = PASSING.get(code) ?? (code.startsWith('HPE_') ? 'the answer is not HTTP' : undefined);
  if (passing !== undefined) return new TransientError(asked, passing, { cause: error });
  if (UNTRUSTED.has(code)) {
    const help = `put the CA that signed it into a certs.d/${host} directory`;
    return new CrfsError('CRFS_DENIED', `${asked}: the certificate of ${host} is not trusted (${code}); ${help}`, {
      cause: error,
    });
  }
  if (NO_TLS.has(code)) {
    return new CrfsError(
      'CRFS_UNREACHABLE',
      `${asked}: ${host} does not speak TLS: if that is right, mark a registry insecure in registries.conf, and write http:// for a URL`,
      {
        cause: error,
      },
    );
  }
  const said = error instanceof Error ? error.message : String(error);
  return new CrfsError('CRFS_UNREACHABLE', `${asked}: ${oneLine(code === '' ? said : `${said} (${code})`)}`, {
    cause: error,
  });
}
