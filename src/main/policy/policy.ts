// SPDX-License-Identifier: GPL-3.0-or-later

/** The file of containers-policy.json(5). As there, the slightest mistake refuses all of it. */

import { isAbsolute, normalize } from 'node:path';
import { CrfsError } from '../errors/error.js';
import { type Requirement, readRequirements } from './requirement.js';
import { parseStrictly, type StrictTable, type StrictValue } from './strict-json.js';
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

/** Parses the file. Throws CRFS_USAGE. */
export function parsePolicy(json: string, path: string): Policy {
  try {
    const top = tableOf(parseStrictly(json), 'the file');
    const unknown = [...top.keys()].find((key) => key !== 'default' && key !== 'transports');
    if (unknown !== undefined) throw new Error(`unknown key ${JSON.stringify(unknown)}`);
    const fallback = top.get('default');
    if (fallback === undefined) throw new Error('there is no "default"');
    const { transports: given = new Map() } = Object.fromEntries(top);
    const transports = [...tableOf(given, 'transports')].map(
      ([transport, scopes]) => [transport, readScopes(transport, scopes)] as const,
    );
    return { path, fallback: readRequirements(fallback), transports: new Map(transports) };
  } catch (error) {
    const why = error instanceof RangeError ? 'nested too deeply' : (error as Error).message.split('\n', 1)[0];
    throw new CrfsError('CRFS_USAGE', `${path} is no policy for images: ${why}`, { cause: error });
  }
}

function tableOf(value: StrictValue, what: string): StrictTable {
  if (value instanceof Map) return value as StrictTable;
  throw new Error(`${what} must be an object`);
}

function readScopes(transport: string, value: StrictValue): ReadonlyMap<string, readonly Requirement[]> {
  const scopes = [...tableOf(value, transport)].map(([scope, requirements]) => {
    const path = BY_PATH.includes(transport);
    const right = !path || (isAbsolute(scope) && scope !== '/' && normalize(scope) === scope && !scope.endsWith('/'));
    if (scope !== '' && (!right || WITHOUT_SCOPES.includes(transport))) {
      throw new Error(`${JSON.stringify(scope)} is no scope of ${transport}`);
    }
    return [scope, readRequirements(requirements)] as const;
  });
  return new Map(scopes);
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
