// SPDX-License-Identifier: GPL-3.0-or-later

/** Values out of a TOML table, each with a check of its type. */

import { CrfsError } from '../errors/error.js';
import { isRegistry } from './reference.js';

type Table = Readonly<Record<string, unknown>>;

/** Each method throws CRFS_USAGE for a value of another type. What nobody asks for is ignored. */
export class TomlTable {
  readonly #table: Table;
  readonly #path: string;

  constructor(table: unknown, path: string) {
    if (typeof table !== 'object' || table === null || Array.isArray(table))
      throw new CrfsError('CRFS_USAGE', `${path}: expected a table`);
    this.#table = table as Table;
    this.#path = path;
  }

  wrong(key: string, wanted: string): CrfsError {
    return new CrfsError('CRFS_USAGE', `${this.#path}: ${key} must be ${wanted}`);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#table, key);
  }

  flag(key: string): boolean {
    const value = this.has(key) ? this.#table[key] : false;
    if (typeof value !== 'boolean') throw this.wrong(key, 'true or false');
    return value;
  }

  text(key: string): string {
    const value = this.has(key) ? this.#table[key] : '';
    if (typeof value !== 'string') throw this.wrong(key, 'a string');
    return value;
  }

  oneOf<T extends string>(key: string, values: readonly T[]): T | undefined {
    const text = this.text(key);
    const value = values.find((allowed) => allowed === text);
    if (text !== '' && value === undefined) throw this.wrong(key, values.join(', '));
    return value;
  }

  list(key: string): readonly unknown[] {
    const value = this.has(key) ? this.#table[key] : [];
    if (!Array.isArray(value)) throw this.wrong(key, 'an array');
    return value as unknown[];
  }

  strings(key: string): string[] {
    return this.list(key).map((value) => {
      if (typeof value === 'string') return value;
      throw this.wrong(key, 'a list of strings');
    });
  }

  tables(key: string): TomlTable[] {
    return this.list(key).map((table) => new TomlTable(table, `${this.#path}: ${key}`));
  }

  /** An inner table, empty where there is none. */
  table(key: string): TomlTable {
    return new TomlTable(this.has(key) ? this.#table[key] : {}, `${this.#path}: ${key}`);
  }

  texts(key: string): [string, string][] {
    const inner = this.table(key);
    return Object.keys(inner.#table).map((name) => [name, inner.text(name)]);
  }

  /** A list of `host[:port]`. */
  hosts(key: string): string[] {
    return this.list(key).map((host) => {
      const name = typeof host === 'string' ? host.replace(/\/+$/, '') : '';
      if (isRegistry(name)) return name;
      throw this.wrong(key, `a list of host[:port], not ${JSON.stringify(host)}`);
    });
  }

  /** `host[:port][/path]`. */
  place(key: string): string {
    const place = this.text(key).replace(/\/+$/, '');
    if (place !== '' && !isRegistry(place.split('/', 1)[0] ?? ''))
      throw this.wrong(key, `host[:port][/path], not ${JSON.stringify(place)}`);
    return place;
  }

  /** A place, or `*.host`. */
  prefix(): string {
    const text = this.text('prefix');
    if (!text.startsWith('*.')) return this.place('prefix');
    if (!isRegistry(text.slice(2)) || text.includes(':'))
      throw this.wrong('prefix', `*.host, not ${JSON.stringify(text)}`);
    return text;
  }
}
