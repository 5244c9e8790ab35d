// SPDX-License-Identifier: GPL-3.0-or-later

/** registries.conf, as containers-registries.conf(5) and containers-registries.conf.d(5) have it. */

import { access, constants, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, type TomlTable } from 'smol-toml';
import type { Environment } from '../environment/environment.js';
import { ConfigFiles, configHomeOf, isMissing, shortNamesOf } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { check } from '../schema/check.js';
import { type RegistriesText, type RegistryText, registriesSchema } from './registries-schema.js';

/** Among credential helpers: the files of containers-auth.json(5). */
export const AUTH_FILES = 'containers-auth.json';

export interface Mirror {
  /** `host[:port][/path]`: what stands in the place of the entry's prefix. */
  readonly location: string;
  readonly insecure: boolean;
  readonly pull: 'all' | 'digest-only' | 'tag-only';
}

/** A `[[registry]]` table. */
export interface RegistryEntry {
  /** `host[:port][/path]`, or `*.host`. */
  readonly prefix: string;
  /** What stands in the place of the prefix; undefined: the prefix itself. */
  readonly location: string | undefined;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

export interface RegistriesConf {
  readonly search: readonly string[];
  readonly shortNameMode: 'enforcing' | 'permissive' | 'disabled';
  /** By prefix. */
  readonly entries: ReadonlyMap<string, RegistryEntry>;
  /** Short name to `registry/repository`; empty: taken away by a later file. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Who is asked for credentials, in order: names of helpers, and `containers-auth.json` for the files of that page. */
  readonly credentialHelpers: readonly string[];
}

/** One file, in which any part may be missing. */
interface Part {
  readonly version: 1 | 2;
  readonly search: readonly string[] | undefined;
  readonly shortNameMode: RegistriesConf['shortNameMode'] | undefined;
  readonly credentialHelpers: readonly string[] | undefined;
  readonly entries: readonly RegistryEntry[];
  readonly aliases: ReadonlyMap<string, string>;
}

/** Keys that a file of version 1 must not have. */
const VERSION_2_KEYS = [
  'registry',
  'unqualified-search-registries',
  'credential-helpers',
  'short-name-mode',
  'aliases',
] as const;

/** Parses one file. Throws CRFS_USAGE. */
function parsePart(text: string, path: string): Part {
  const table = parseToml(text, path);
  const file = check(registriesSchema, table, { where: path, code: 'CRFS_USAGE' });
  const lists = entriesOfLists(file.registries);
  if (lists === undefined) return partOf(file);
  const mixed = VERSION_2_KEYS.find((key) => Object.hasOwn(table, key));
  if (mixed === undefined) return { ...partOf(file), ...lists, version: 1 };
  const versions = `[registries.…] is of version 1, ${mixed} is not`;
  throw new CrfsError('CRFS_USAGE', `${path} mixes versions of the format: ${versions}`);
}

function parseToml(text: string, path: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    throw new CrfsError('CRFS_USAGE', `${path} is not TOML: ${reasonOf(error).split('\n', 1)[0]}`, { cause: error });
  }
}

function partOf(file: RegistriesText): Part {
  return {
    version: 2,
    search: file['unqualified-search-registries'],
    shortNameMode: file['short-name-mode'] || undefined,
    credentialHelpers: file['credential-helpers'],
    entries: file.registry.map(entryOf),
    aliases: new Map(Object.entries(file.aliases)),
  };
}

function entryOf({ prefix, location, insecure, blocked, ...entry }: RegistryText): RegistryEntry {
  const digestOnly = entry['mirror-by-digest-only'];
  return {
    prefix: prefix || location,
    location: location || undefined,
    insecure,
    blocked,
    mirrors: entry.mirror.map((mirror) => ({
      location: mirror.location,
      insecure: mirror.insecure,
      pull: digestOnly ? 'digest-only' : (mirror['pull-from-mirror'] ?? 'all'),
    })),
  };
}

/** What the lists of version 1, which is deprecated and still to be found, mean in terms of version 2; undefined: nothing. */
function entriesOfLists(lists: RegistriesText['registries']): Pick<Part, 'search' | 'entries'> | undefined {
  const [search, insecure, block] = [lists.search.registries, lists.insecure.registries, lists.block.registries];
  const places = [...new Set([...insecure, ...block])];
  if (search.length + places.length === 0) return undefined;
  const entries = places.map((prefix) => ({
    prefix,
    location: prefix,
    insecure: insecure.includes(prefix),
    blocked: block.includes(prefix),
    mirrors: [],
  }));
  return { search, entries };
}

async function dropIns(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(directory, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw new CrfsError('CRFS_USAGE', `cannot read the directory ${directory}`, { cause: error });
  }
}

/** The configuration of one user, read again where a file has changed. */
export class RegistriesFiles {
  readonly #environment: Environment;
  readonly #files = new ConfigFiles(parsePart);

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Rejects with CRFS_USAGE if a file cannot be read or makes no sense. */
  async load(): Promise<RegistriesConf> {
    const { main, more } = await this.#paths();
    const parts: Part[] = [];
    for (const path of [main, ...more]) {
      const part = await this.#files.get(path);
      if (part?.version === 1 && path !== main) {
        throw new CrfsError('CRFS_USAGE', `${path} has version 1 of the format: a drop-in file must have version 2`);
      }
      if (part !== undefined) parts.push(part);
    }
    const recorded = await this.#recorded();
    const helpers = last(parts, 'credentialHelpers') ?? [];
    return {
      search: last(parts, 'search') ?? [],
      shortNameMode: last(parts, 'shortNameMode') ?? 'permissive',
      credentialHelpers: helpers.length > 0 ? helpers : [AUTH_FILES],
      entries: new Map(parts.flatMap((part) => part.entries.map((entry) => [entry.prefix, entry]))),
      aliases: new Map([...parts, ...(recorded ? [recorded] : [])].flatMap((part) => [...part.aliases])),
    };
  }

  /** What podman has recorded. Root of a user namespace may not look at what real root has: that is as if there were nothing. */
  async #recorded(): Promise<Part | undefined> {
    const path = shortNamesOf(this.#environment);
    const readable = await access(path, constants.R_OK).then(
      () => true,
      () => false,
    );
    return readable ? await this.#files.get(path) : undefined;
  }

  /** The main file, then others in the order of reading: what a later file says replaces what an earlier one said. */
  async #paths(): Promise<{ main: string; more: string[] }> {
    const { env, etc } = this.#environment;
    const user = join(configHomeOf(this.#environment), 'containers', 'registries.conf');
    const system = join(etc, 'containers', 'registries.conf');
    const named = env['CONTAINERS_REGISTRIES_CONF'];
    const users = await dropIns(`${user}.d`);
    if (!named && (await this.#files.get(user)) !== undefined) return { main: user, more: users };
    return { main: named || system, more: [...(await dropIns(`${system}.d`)), ...users] };
  }
}

/** What the last file says that says anything of it. */
function last<Key extends keyof Part>(parts: readonly Part[], key: Key): Part[Key] | undefined {
  return parts.findLast((part) => part[key] !== undefined)?.[key];
}
