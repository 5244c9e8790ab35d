// SPDX-License-Identifier: GPL-3.0-or-later

/** What comes from outside, held against a schema once, where it comes in. */

import * as v from 'valibot';
import { CrfsError, type ErrorCode } from '../errors/error.js';
import { oneLine } from '../errors/one-line.js';

const SHOWN_LIMIT = 80;

/** How to tell of a value that is not what it must be. */
export interface Told {
  /** What it was found in, for messages: a file, an address, an image. */
  readonly where: string;
  readonly code: ErrorCode;
  /** It holds secrets: messages show nothing of it. */
  readonly isSecret?: boolean;
}

/**
 * `value` as the schema makes it. Messages of the schema say what a value must be: "a string". Throws an error of one line:
 * where it was found, the way to the value, what it must be, and what it is.
 */
export function check<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  { where, code, isSecret = false }: Told,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const way = v.getDotPath(issue);
  const what = way === null ? '' : `${oneLine(way, SHOWN_LIMIT)} `;
  throw new CrfsError(code, `${where}: ${what}must be ${issue.message}${isSecret ? '' : shown(issue.input)}`);
}

/** The same for a JSON text, in UTF-8. */
export function checkJson<S extends v.GenericSchema>(schema: S, text: Uint8Array, told: Told): v.InferOutput<S> {
  return check(schema, parseJson(text, told), told);
}

/** The value of a JSON text in UTF-8, a byte order mark before it or not. Throws an error of one line. */
export function parseJson(text: Uint8Array, { where, code, isSecret = false }: Told): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (error) {
    if (isSecret) throw new CrfsError(code, `${where}: is not JSON`); // without the cause, which quotes the text
    const why = (error as Error).message.replace(/ is not valid JSON$/, '');
    throw new CrfsError(code, `${where}: is not JSON: ${oneLine(why, SHOWN_LIMIT)}`, { cause: error });
  }
}

/** Writes what parseJson has read. Throws an error of one line where it is nested deeper than can be written. */
export function jsonOf(value: object, { where, code }: Told): Buffer {
  try {
    return Buffer.from(JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CrfsError(code, `${where}: is nested too deeply`, { cause: error });
  }
}

/** What stands where something else should; of what has parts, only what it is: it may be as large, and as deep, as a stranger likes. */
function shown(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return `, not ${JSON.stringify(oneLine(value, SHOWN_LIMIT))}`;
  if (Array.isArray(value)) return `, not ${value.length === 0 ? 'an empty list' : 'a list'}`;
  if (typeof value === 'object' && value !== null) return ', not an object';
  return `, not ${JSON.stringify(value)}`;
}
