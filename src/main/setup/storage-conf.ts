// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The line of storage.conf that names a store, put in and taken out: containers-storage.conf(5). Everything else of the
 * file stays, byte for byte, and what was made is read again: it says what the file said, and that line.
 */

import { isDeepStrictEqual } from 'node:util';
import { parse, type TomlTable } from 'smol-toml';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';

const KEY = 'additionallayerstores';
/** Stands behind each line that is wholly ours. */
const OURS = '# by crfs setup podman';
const HEADER = /^[ \t]*\[[ \t]*storage[ \t]*\.[ \t]*options[ \t]*\][ \t]*(?:#.*)?$/m;
const ARRAY = new RegExp(`^([ \\t]*${KEY}[ \\t]*=[ \\t]*\\[)`, 'm');

/** The stores that a file names. Throws CRFS_USAGE for what is no TOML, or no storage.conf. */
export function storesIn(text: string, path: string): readonly string[] {
  const list = optionsOf(parseToml(text, path))?.[KEY] ?? [];
  if (Array.isArray(list)) return list.map((store) => (typeof store === 'string' ? store : JSON.stringify(store)));
  throw new CrfsError('CRFS_USAGE', `${path}: ${KEY} is not a list`);
}

/** What else of a file counts here, as far as it is of the right kind. Throws CRFS_USAGE for what is no TOML. */
export function storageIn(
  text: string,
  path: string,
): { driver?: string; graphroot?: string; rootless_storage_path?: string } {
  const table = (parseToml(text, path)['storage'] ?? {}) as TomlTable;
  const names = ['driver', 'graphroot', 'rootless_storage_path'];
  return Object.fromEntries(names.flatMap((name) => (typeof table[name] === 'string' ? [[name, table[name]]] : [])));
}

/** The text with one more store, the first that is asked. Throws CRFS_USAGE where no line can be put in. */
export function addStore(text: string, store: string, path: string): string {
  const stores = storesIn(text, path);
  if (stores.includes(store)) return text;
  const wanted = withStores(parseToml(text, path), [store, ...stores]);
  const line = `${KEY} = [${toml(store)}] ${OURS}`;
  const end = text === '' || text.endsWith('\n') ? '' : '\n';
  return firstThatSays(wanted, path, `[storage.options] ${KEY} = [${toml(store)}]`, [
    text.replace(ARRAY, (all) => `${all}${toml(store)}`), // right for an empty list alone
    text.replace(ARRAY, (all) => `${all}${toml(store)}, `),
    text.replace(HEADER, (all) => `${all}\n${line}`),
    `${text}${end}[storage.options] ${OURS}\n${line}\n`,
  ]);
}

/** The text without a store: where addStore has put it in, what the text was before. Throws CRFS_USAGE. */
export function removeStore(text: string, store: string, path: string): string {
  const stores = storesIn(text, path);
  if (!stores.includes(store)) return text;
  const wanted = withStores(
    parseToml(text, path),
    stores.filter((other) => other !== store),
  );
  const name = escapeRegExp(toml(store));
  const line = `${KEY} = \\[${name}\\] ${OURS}\\n`;
  const attempts = [
    new RegExp(`^\\[storage\\.options\\] ${OURS}\\n${line}`, 'm'),
    new RegExp(`^${line}`, 'm'),
    new RegExp(`(?<=^[ \\t]*${KEY}[ \\t]*=[ \\t]*\\[)${name}(?:, )?`, 'm'),
    new RegExp(`,\\s*${name}`),
    new RegExp(`${name}\\s*,?\\s*`),
  ];
  return firstThatSays(
    wanted,
    path,
    `no ${toml(store)} in ${KEY}`,
    attempts.map((attempt) => text.replace(attempt, '')),
  );
}

function firstThatSays(wanted: TomlTable, path: string, what: string, texts: readonly string[]): string {
  const found = texts.find((text) => says(text, wanted));
  if (found === undefined) throw new CrfsError('CRFS_USAGE', `${path} must be edited by hand: it is to have ${what}`);
  return found;
}

function says(text: string, wanted: TomlTable): boolean {
  try {
    return isDeepStrictEqual(withoutEmpty(parse(text)), withoutEmpty(wanted));
  } catch {
    return false; // it is no TOML any more
  }
}

function withStores(table: TomlTable, stores: readonly string[]): TomlTable {
  const storage = (table['storage'] ?? {}) as TomlTable;
  const options = { ...(storage['options'] as TomlTable | undefined), [KEY]: [...stores] };
  return { ...table, storage: { ...storage, options } };
}

/** The same without an empty list of stores, and tables that are empty for want of it: they say nothing. */
function withoutEmpty(table: TomlTable): TomlTable {
  const { storage = {}, ...others } = table as { storage?: TomlTable };
  const { options = {}, ...rest } = storage as { options?: TomlTable };
  const { [KEY]: stores = [], ...more } = options as { [KEY]?: unknown[] };
  const kept = stores.length > 0 ? { ...more, [KEY]: stores } : more;
  const all = Object.keys(kept).length > 0 ? { ...rest, options: kept } : rest;
  return Object.keys(all).length > 0 ? { ...others, storage: all } : others;
}

function optionsOf(table: TomlTable): TomlTable | undefined {
  return (table['storage'] as TomlTable | undefined)?.['options'] as TomlTable | undefined;
}

function parseToml(text: string, path: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    throw new CrfsError('CRFS_USAGE', `${path} is not TOML: ${reasonOf(error).split('\n', 1)[0]}`, { cause: error });
  }
}

/** A basic string of TOML, which JSON's escapes are, too. */
function toml(text: string): string {
  return JSON.stringify(text);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
