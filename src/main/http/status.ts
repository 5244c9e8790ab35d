// SPDX-License-Identifier: GPL-3.0-or-later

/** The error that an answer's status stands for. */

import { CrfsError } from '../errors/error.js';
import { nameOf, oneLine } from './failure.js';
import { retryAfter, TransientError } from './retry.js';
import type { HttpResponse } from './transport.js';

const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const TEXT_LIMIT = 16 << 10;

/** What a registry says in the error's body (distribution specification, "Error Codes"), as `: CODE message`, or nothing. */
async function explanation(response: HttpResponse): Promise<string> {
  try {
    const body: unknown = JSON.parse(Buffer.from(await response.bytes(TEXT_LIMIT)).toString('utf8'));
    const [first] = (body as { errors?: unknown[] } | null)?.errors ?? [];
    const { code, message } = (first ?? {}) as { code?: unknown; message?: unknown };
    const said = [code, message].filter((part) => typeof part === 'string' && part !== '').join(' ');
    return said === '' ? '' : `: ${oneLine(said)}`;
  } catch (error) {
    // Whatever the body holds, the status alone decides.
    return error instanceof CrfsError || error instanceof SyntaxError || error instanceof TypeError
      ? ''
      : `: ${String(error)}`;
  }
}

/** The error for an answer that was not wanted; reads its body. `asked` says what was asked for, in words. */
export async function refusal(response: HttpResponse, asked: string): Promise<CrfsError> {
  const { status } = response;
  const answered = `${asked}: ${nameOf(response.url)} answered ${status}${await explanation(response)}`;
  if (status === 401)
    return new CrfsError(
      'CRFS_DENIED',
      `${answered}; credentials are missing or refused: log in, as with podman login`,
    );
  if (status === 403) return new CrfsError('CRFS_DENIED', answered);
  if (status === 404 || status === 410) return new CrfsError('CRFS_NOT_FOUND', answered);
  if (PASSING.has(status))
    return new TransientError(answered, { retryAfter: retryAfter(response.header('retry-after')) });
  return new CrfsError('CRFS_UNREACHABLE', answered);
}
