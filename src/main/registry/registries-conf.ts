// SPDX-License-Identifier: GPL-3.0-or-later

/** registries.conf, version 2, as containers-registries.conf(5) and containers-registries.conf.d(5) have it. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { CrfsError } from '../errors/error.js';
import { isRegistry } from './reference.js';
import { ConfigFiles, configHomeOf, isMissing } from './surroundings.js';
import { TomlTable } from './toml-table.js';
import type { Surroundings } from './types.js';

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
}

/** One file, in which any part may be missing. */
interface Part {
  readonly search: readonly string[] | undefined;
  readonly shortNameMode: RegistriesConf['shortNameMode'] | undefined;
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

/** Parses one file. Throws CRFS_USAGE. */
export function parsePart(text: string, path: string): Part {
  let top: TomlTable;
  try {
    top = new TomlTable(parse(text), path);
  } catch (error) {
    const said = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    throw new CrfsError('CRFS_USAGE', `${path} is not TOML: ${said}`, { cause: error });
  }
  if (top.has('registries'))
    throw new CrfsError('CRFS_USAGE', `${path} has version 1 of the format: write [[registry]] tables instead`);
  const search = top.list('unqualified-search-registries').map((host) => {
    if (typeof host === 'string' && isRegistry(host)) return host;
    throw top.wrong('unqualified-search-registries', `a list of host[:port], not ${JSON.stringify(host)}`);
  });
  return {
    search: top.has('unqualified-search-registries') ? search : undefined,
    shortNameMode: top.oneOf('short-name-mode', ['enforcing', 'permissive', 'disabled'] as const),
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
    const parts = [];
    for (const path of await this.#paths()) {
      const part = await this.#files.get(path);
      if (part !== undefined) parts.push(part);
    }
    return {
      search: parts.findLast((part) => part.search !== undefined)?.search ?? [],
      shortNameMode: parts.findLast((part) => part.shortNameMode !== undefined)?.shortNameMode ?? 'permissive',
      entries: new Map(parts.flatMap((part) => part.entries.map((entry) => [entry.prefix, entry]))),
      aliases: new Map(parts.flatMap((part) => [...part.aliases])),
    };
  }

  /** In the order of reading: what a later file says replaces what an earlier one said. */
  async #paths(): Promise<string[]> {
    const { env, etc } = this.#surroundings;
    const user = join(configHomeOf(this.#surroundings), 'containers', 'registries.conf');
    const system = join(etc, 'containers', 'registries.conf');
    const named = env['CONTAINERS_REGISTRIES_CONF'];
    if (named) return [named, ...(await dropIns(`${system}.d`)), ...(await dropIns(`${user}.d`))];
    if ((await this.#files.get(user)) !== undefined) return [user, ...(await dropIns(`${user}.d`))];
    return [system, ...(await dropIns(`${system}.d`)), ...(await dropIns(`${user}.d`))];
  }
}
