// SPDX-License-Identifier: GPL-3.0-or-later

/** What may stand in registries.conf; keys that are not listed are ignored, as containers-registries.conf(5) has it. */

import * as v from 'valibot';
import { table } from '../schema/schemas.js';
import { isRegistry } from './reference.js';

const flag = v.optional(v.boolean('true or false'), false);
const text = v.string('a string');

function withoutEnd(place: string): string {
  return place.replace(/\/+$/, '');
}

const host = v.pipe(v.string('host[:port]'), v.transform(withoutEnd), v.check(isRegistry, 'host[:port]'));

const place = v.pipe(
  v.string('host[:port][/path]'),
  v.transform(withoutEnd),
  v.check((given) => given === '' || isRegistry(given.split('/', 1)[0] ?? ''), 'host[:port][/path]'),
);

const prefix = v.union([v.pipe(text, v.check(isWildcard)), place], 'host[:port][/path] or *.host');

function isWildcard(given: string): boolean {
  return given.startsWith('*.') && isRegistry(given.slice(2)) && !given.includes(':');
}

const mirror = table({
  location: v.pipe(place, v.nonEmpty('host[:port][/path]')),
  insecure: flag,
  'pull-from-mirror': v.optional(v.picklist(['all', 'digest-only', 'tag-only'], 'one of all, digest-only, tag-only')),
});

const registry = v.pipe(
  v.object(
    {
      prefix: v.optional(prefix, ''),
      location: v.optional(place, ''),
      insecure: flag,
      blocked: flag,
      'mirror-by-digest-only': flag,
      mirror: v.optional(v.array(mirror, 'an array of tables'), []),
    },
    'a table',
  ),
  v.check((entry) => entry.prefix !== '' || entry.location !== '', 'a registry with a prefix or a location'),
  v.check((entry) => entry.location !== '' || /^(\*\.|$)/.test(entry.prefix), 'a registry with a location'),
  v.check(
    (entry) => !entry['mirror-by-digest-only'] || entry.mirror.every((one) => one['pull-from-mirror'] === undefined),
    'a registry whose mirrors have no pull-from-mirror, since mirror-by-digest-only is set',
  ),
);

/** Of version 1: three lists of registries. */
const list = v.optional(v.object({ registries: v.optional(v.array(host, 'an array'), []) }, 'a table'), {});

export const registriesSchema = v.object(
  {
    'unqualified-search-registries': v.optional(v.array(host, 'a list of host[:port]')),
    'short-name-mode': v.optional(
      v.picklist(['enforcing', 'permissive', 'disabled', ''], 'one of enforcing, permissive, disabled'),
    ),
    'credential-helpers': v.optional(v.array(text, 'a list of strings')),
    registry: v.optional(v.array(registry, 'an array of tables'), []),
    aliases: v.optional(v.record(text, text, 'a table of strings'), {}),
    registries: v.optional(v.object({ search: list, insecure: list, block: list }, 'a table'), {}),
  },
  'a table',
);

export type RegistriesText = v.InferOutput<typeof registriesSchema>;
export type RegistryText = v.InferOutput<typeof registry>;
