// SPDX-License-Identifier: GPL-3.0-or-later

/** Where an image is to be asked for: what registries.conf makes of a reference. */

import { CrfsError } from '../errors/error.js';
import {
  formatReference,
  isRegistry,
  isRepository,
  looksLikeRegistry,
  parseReference,
  qualify,
  type ShortName,
} from './reference.js';
import type { Mirror, RegistriesConf, RegistryEntry } from './registries-conf.js';
import type { Reference } from './types.js';

/** One place that may have an image. */
export interface Endpoint {
  /** `host[:port]`, as in names of images. */
  readonly registry: string;
  readonly repository: string;
  /** Plain http, and certificates that nobody vouches for, will do. */
  readonly insecure: boolean;
}

function matches(name: string, reference: Reference, prefix: string): boolean {
  if (prefix.startsWith('*.')) return reference.registry.replace(/:\d+$/, '').endsWith(prefix.slice(1));
  return name.startsWith(prefix) && (name.length === prefix.length || /[/:@]/.test(name[prefix.length] ?? ''));
}

/** The entry with the longest prefix of the reference, or undefined. */
function entryFor(reference: Reference, conf: RegistriesConf): RegistryEntry | undefined {
  const name = formatReference(reference).slice('docker://'.length);
  let best: RegistryEntry | undefined;
  for (const entry of conf.entries.values()) {
    if (matches(name, reference, entry.prefix) && entry.prefix.length > (best?.prefix.length ?? 0)) best = entry;
  }
  return best;
}

/** The place at `location`, which stands for the prefix of the reference's name. */
function rewritten(reference: Reference, prefix: string, location: string, insecure: boolean): Endpoint {
  const name = `${reference.registry}/${reference.repository}`;
  const rest = prefix.startsWith('*.') ? name.slice(reference.registry.length) : name.slice(prefix.length);
  const [registry = '', ...path] = `${location}${rest}`.split('/');
  const repository = path.join('/');
  if (!isRegistry(registry) || !isRepository(repository)) {
    throw new CrfsError(
      'CRFS_USAGE',
      `registries.conf makes ${registry}/${repository} of ${name}: that is no name of an image`,
    );
  }
  return { registry, repository, insecure };
}

function mayServe(mirror: Mirror, reference: Reference): boolean {
  return mirror.pull === 'all' || (mirror.pull === 'digest-only') === (reference.digest !== undefined);
}

/** Where to pull from: mirrors in their order, then the registry itself. Throws CRFS_DENIED if the registry is blocked. */
export function pullEndpoints(reference: Reference, conf: RegistriesConf): Endpoint[] {
  const entry = entryFor(reference, conf);
  if (entry === undefined) return [{ registry: reference.registry, repository: reference.repository, insecure: false }];
  if (entry.blocked)
    throw new CrfsError('CRFS_DENIED', `${formatReference(reference)}: registries.conf blocks ${entry.prefix}`);
  const mirrors = entry.mirrors.filter((mirror) => mayServe(mirror, reference));
  return [
    ...mirrors.map((mirror) => rewritten(reference, entry.prefix, mirror.location, mirror.insecure)),
    entry.location === undefined
      ? { registry: reference.registry, repository: reference.repository, insecure: entry.insecure }
      : rewritten(reference, entry.prefix, entry.location, entry.insecure),
  ];
}

/** Where to push to: the registry that the reference names, as registries.conf rewrites only what is pulled. */
export function pushEndpoint(reference: Reference, conf: RegistriesConf): Endpoint {
  const entry = entryFor(reference, conf);
  if (entry?.blocked)
    throw new CrfsError('CRFS_DENIED', `${formatReference(reference)}: registries.conf blocks ${entry.prefix}`);
  return { registry: reference.registry, repository: reference.repository, insecure: entry?.insecure ?? false };
}

function isShort(parsed: Reference | ShortName): parsed is ShortName {
  return !('registry' in parsed);
}

/**
 * The references that a name written by a person may mean, to be tried in order: one, unless a short name has no alias and
 * several registries are searched. Throws CRFS_USAGE.
 */
export function candidates(text: string, conf: RegistriesConf): Reference[] {
  const parsed = parseReference(text);
  if (!isShort(parsed)) return [parsed];
  const alias = conf.aliases.get(parsed.name);
  if (alias) {
    const target = parseReference(alias);
    if (isShort(target) || /[:@]/.test(alias.slice(alias.indexOf('/')))) {
      throw new CrfsError(
        'CRFS_USAGE',
        `registries.conf: the alias ${parsed.name} must be registry/name, not ${JSON.stringify(alias)}`,
      );
    }
    return [qualify(target.registry, { ...parsed, name: target.repository })];
  }
  if (conf.search.length === 0) {
    const [why, advice] = looksLikeRegistry(text)
      ? ['names a registry without an image, or an image without a registry', `${text}/name or registry/${text}`]
      : ['names no registry, and there is no alias for it', `registry/${text}`];
    const search = 'set unqualified-search-registries in registries.conf';
    throw new CrfsError('CRFS_USAGE', `${JSON.stringify(text)} ${why}: write ${advice}, or ${search}`);
  }
  if (conf.search.length > 1 && conf.shortNameMode === 'enforcing') {
    const hosts = conf.search.join(', ');
    throw new CrfsError(
      'CRFS_USAGE',
      `${JSON.stringify(text)} could be of any of ${hosts}: write which (short-name-mode is enforcing)`,
    );
  }
  return conf.search.map((registry) => qualify(registry, parsed));
}
