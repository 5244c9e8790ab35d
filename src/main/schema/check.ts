// SPDX-License-Identifier: GPL-3.0-or-later

/** What comes from outside, held against a schema once, where it comes in. */

import * as v from 'valibot';
import { CrfsError, type ErrorCode } from '../errors/error.js';

const SHOWN_LIMIT = 80;

/**
 * `value` as the schema makes it. Messages of the schema say what a value must be: "a string". Throws an error of `code`
 * of one line: `where` (a file, an address), the way to the value, what it must be, and what it is.
 */
export function check<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  where: string,
  code: ErrorCode,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const way = v.getDotPath(issue);
  const what = way === null ? '' : `${way} `;
  throw new CrfsError(code, `${where}: ${what}must be ${issue.message}${shown(issue.input)}`);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text === undefined || text.length > SHOWN_LIMIT ? '' : `, not ${text}`;
}
