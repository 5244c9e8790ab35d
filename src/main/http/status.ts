// SPDX-License-Identifier: GPL-3.0-or-later

/** The error that an answer's status stands for. */

import * as v from 'valibot';
import { CrfsError } from '../errors/error.js';
import { oneLine } from '../errors/one-line.js';
import { anyText } from '../schema/schemas.js';
import { nameOf } from './failure.js';
import { retryAfter, TransientError } from './retry.js';
import type { HttpResponse } from './transport.js';

const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const TEXT_LIMIT = 16 << 10;

/** What a server says of its refusal. */
export interface Explanation {
  /** The codes of a registry's errors (distribution specification, "Error Codes"). */
  readonly codes: readonly string[];
  /** For a message, on one line; empty if it says nothing. */
  readonly text: string;
}

/** One error, as registries and token servers write them, each with some of these; what is no string says nothing. */
const word = v.optional(anyText, '');
const refusalSchema = v.fallback(
  v.object({ code: word, error: word, message: word, error_description: word, details: word }),
  { code: '', error: '', message: '', error_description: '', details: '' },
);
const listSchema = v.object({ errors: v.pipe(v.array(refusalSchema), v.nonEmpty()) });

/** Registries answer with a list of errors, token servers with one (RFC 6749 section 5.2), others with text of any kind. */
function explanationOf(body: string, type: string): Explanation {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return { codes: [], text: type.startsWith('text/plain') ? oneLine(body) : '' };
  }
  const list = v.safeParse(listSchema, parsed);
  const refusals = list.success ? list.output.errors.slice(0, 3) : [v.parse(refusalSchema, parsed)];
  const parts = refusals.map((one) =>
    [one.code, one.error, one.message, one.error_description, one.details].filter((part) => part !== '').join(' '),
  );
  return { codes: refusals.map(({ code }) => code).filter((code) => code !== ''), text: oneLine(parts.join('; ')) };
}

/** Reads what a server says of an answer that was not wanted. Whatever that is, the status alone decides. */
export async function explain(response: HttpResponse): Promise<Explanation> {
  try {
    const body = new TextDecoder().decode(await response.bytes(TEXT_LIMIT));
    return explanationOf(body, response.header('content-type') ?? '');
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    return { codes: [], text: '' };
  }
}

/** Whether what was asked for has been done: registries do not agree on which 2xx says so. */
export function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

/** The error for an answer that was not wanted; reads its body, unless that was done. `asked` says what was asked for, in words. */
export async function refusal(response: HttpResponse, asked: string, said?: Explanation): Promise<CrfsError> {
  const { status } = response;
  const { text } = said ?? (await explain(response));
  const where = nameOf(response.url);
  const who = asked.includes(where) ? 'the server' : where;
  const reason = `${who} answered ${status}${text === '' ? '' : `: ${text}`}`;
  const answered = `${asked}: ${reason}`;
  if (status === 401)
    return new CrfsError(
      'CRFS_DENIED',
      `${answered}; credentials are missing or refused: log in, as with podman login`,
    );
  if (status === 403) return new CrfsError('CRFS_DENIED', answered);
  if (status === 404 || status === 410) return new CrfsError('CRFS_NOT_FOUND', answered);
  if (PASSING.has(status))
    return new TransientError(asked, reason, { retryAfter: retryAfter(response.header('retry-after')) });
  return new CrfsError('CRFS_UNREACHABLE', answered);
}
