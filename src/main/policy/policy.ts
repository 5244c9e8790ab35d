// SPDX-License-Identifier: GPL-3.0-or-later

/** The file of containers-policy.json(5). As there, the slightest mistake refuses all of it. */

import { isAbsolute, normalize } from 'node:path';
import * as v from 'valibot';
import { CrfsError } from '../errors/error.js';
import { check } from '../schema/check.js';
import { anyTable, strictTable } from '../schema/schemas.js';
import { type Requirement, requirementList } from './requirement.js';
import { parseStrictly } from './strict-json.js';
import type { Subject } from './subject.js';

export interface Policy {
  readonly path: string;
  readonly fallback: readonly Requirement[];
  /** By transport, then by scope. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>;
}

/** Transports whose scopes are paths, and those that have none but the default one. */
const BY_PATH = ['dir', 'oci', 'oci-archive'];
const WITHOUT_SCOPES = ['docker-archive', 'tarball'];

/** An object whose keys may be any: a Map, in which none of them means anything else. */
const keyed = v.pipe(
  anyTable,
  v.transform((table): unknown => new Map(Object.entries(table))),
);
const scopesByTransport = v.pipe(
  keyed,
  v.map(v.string(), v.pipe(keyed, v.map(v.string(), requirementList))),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const [transport, scopes] of dataset.value) {
      const wrong = [...scopes.keys()].find((scope) => !isScope(transport, scope));
      if (wrong !== undefined) addIssue({ message: `with scopes of ${transport}`, input: wrong });
    }
  }),
);
const policyFile = strictTable({ default: requirementList, transports: v.optional(scopesByTransport, {}) });

/** Parses the file. Throws CRFS_USAGE. */
export function parsePolicy(json: string, path: string): Policy {
  const where = `${path} is no policy for images`;
  const { default: fallback, transports } = check(policyFile, parse(json, where), { where, code: 'CRFS_USAGE' });
  return { path, fallback, transports };
}

function parse(json: string, where: string): unknown {
  try {
    return parseStrictly(json);
  } catch (error) {
    const why = error instanceof RangeError ? 'nested too deeply' : (error as Error).message.split('\n', 1)[0];
    throw new CrfsError('CRFS_USAGE', `${where}: ${why}`, { cause: error });
  }
}

function isScope(transport: string, scope: string): boolean {
  if (scope === '') return true;
  if (WITHOUT_SCOPES.includes(transport)) return false;
  if (!BY_PATH.includes(transport)) return true;
  return isAbsolute(scope) && scope !== '/' && normalize(scope) === scope && !scope.endsWith('/');
}

/** What a policy requires of an image, and by what part of it: its most specific scope, or a default. */
export function requirementsFor(
  { fallback, transports }: Policy,
  { transport, scopes }: Subject,
): { readonly requirements: readonly Requirement[]; readonly by: string } {
  const known = transports.get(transport);
  for (const scope of scopes) {
    const requirements = known?.get(scope);
    if (requirements !== undefined) return { requirements, by: `the scope ${JSON.stringify(scope)} of ${transport}` };
  }
  const requirements = known?.get('');
  return requirements === undefined
    ? { requirements: fallback, by: 'its default' }
    : { requirements, by: `the default of ${transport}` };
}
