// SPDX-License-Identifier: GPL-3.0-or-later

/** registries.conf, as containers-registries.conf(5) and containers-registries.conf.d(5) have it. */

import { access, constants, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import type { Surroundings } from '../environment/environment.js';
import { ConfigFiles, configHomeOf, isMissing, shortNamesOf } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { readVersion1 } from './registries-v1.js';
import { TomlTable } from './toml-table.js';

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

function readMirror(table: TomlTable, digestOnly: boolean): Mirror {
  const location = table.place('location');
  if (location === '') throw table.wrong('location', 'given for a mirror');
  const pull = table.oneOf('pull-from-mirror', ['all', 'digest-only', 'tag-only'] as const);
  if (digestOnly && pull !== undefined)
    throw table.wrong('pull-from-mirror', 'left out where mirror-by-digest-only is set');
  return { location, insecure: table.flag('insecure'), pull: digestOnly ? 'digest-only' : (pull ?? 'all') };
}

function readEntry(table: TomlTable): RegistryEntry {
  const location = table.place('location');
  const prefix = table.prefix() || location;
  if (prefix === '') throw table.wrong('prefix or location', 'given for a registry');
  if (location === '' && !prefix.startsWith('*.')) throw table.wrong('location', `given for the prefix ${prefix}`);
  const digestOnly = table.flag('mirror-by-digest-only');
  const mirrors = table.tables('mirror').map((mirror) => readMirror(mirror, digestOnly));
  const [insecure, blocked] = [table.flag('insecure'), table.flag('blocked')];
  return { prefix, location: location === '' ? undefined : location, insecure, blocked, mirrors };
}

const VERSION_2_KEYS = [
  'registry',
  'unqualified-search-registries',
  'credential-helpers',
  'short-name-mode',
  'aliases',
];

/** Parses one file. Throws CRFS_USAGE. */
function parsePart(text: string, path: string): Part {
  let top: TomlTable;
  try {
    top = new TomlTable(parse(text), path);
  } catch (error) {
    const said = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    throw new CrfsError('CRFS_USAGE', `${path} is not TOML: ${said}`, { cause: error });
  }
  const version1 = readVersion1(top);
  if (version1 === undefined) return readVersion2(top);
  const mixed = VERSION_2_KEYS.find((key) => top.has(key));
  if (mixed === undefined) return { ...readVersion2(top), ...version1, version: 1 };
  throw new CrfsError(
    'CRFS_USAGE',
    `${path} mixes versions of the format: [registries.…] is of version 1, ${mixed} is not`,
  );
}

function readVersion2(top: TomlTable): Part {
  const [search, helpers] = [top.hosts('unqualified-search-registries'), top.strings('credential-helpers')];
  return {
    version: 2,
    search: top.has('unqualified-search-registries') ? search : undefined,
    shortNameMode: top.oneOf('short-name-mode', ['enforcing', 'permissive', 'disabled'] as const),
    credentialHelpers: top.has('credential-helpers') ? helpers : undefined,
    entries: top.tables('registry').map(readEntry),
    aliases: new Map(top.texts('aliases')),
  };
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
  readonly #surroundings: Surroundings;
  readonly #files = new ConfigFiles(parsePart);

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
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
    const path = shortNamesOf(this.#surroundings);
    const readable = await access(path, constants.R_OK).then(
      () => true,
      () => false,
    );
    return readable ? await this.#files.get(path) : undefined;
  }

  /** The main file, then others in the order of reading: what a later file says replaces what an earlier one said. */
  async #paths(): Promise<{ main: string; more: string[] }> {
    const { env, etc } = this.#surroundings;
    const user = join(configHomeOf(this.#surroundings), 'containers', 'registries.conf');
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
