// SPDX-License-Identifier: GPL-3.0-or-later

/** Where configuration files lie, and reading them again only when they have changed. */

import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';

/** Environment variables, by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Where configuration is looked up: that of this process, or of a mount, or of a test. */
export interface Environment {
  readonly env: Variables;
  /** The system's configuration directory: `/etc`. */
  readonly etc: string;
  /** The system's directory of caches: `/var/cache`. */
  readonly cache: string;
}

/** No configuration file that a person keeps is larger, in bytes. */
const FILE_LIMIT = 4 << 20;

/** This process's variables, and the machine's directories. */
export const processEnvironment: Environment = { env: process.env, etc: '/etc', cache: '/var/cache' };

/** `$HOME`, or else what the system knows of this user. Throws CRFS_NOT_FOUND where it knows nothing. */
export function homeOf({ env }: Pick<Environment, 'env'>): string {
  try {
    return env['HOME'] || userInfo().homedir;
  } catch (error) {
    const why = `there is no home directory: HOME is not set, and this machine knows no user ${process.geteuid?.()}`;
    throw new CrfsError('CRFS_NOT_FOUND', `${why}; set HOME to a directory of yours`, { cause: error });
  }
}

/** `$XDG_CONFIG_HOME`, usually `~/.config`. */
export function configHomeOf(environment: Environment): string {
  return environment.env['XDG_CONFIG_HOME'] || join(homeOf(environment), '.config');
}

/** The file in which podman records what short names were taken to mean: root's, or a user's own. */
export function shortNamesOf(environment: Environment): string {
  const { env, cache } = environment;
  // Under `podman unshare` everybody is root, and podman goes by who it was before.
  const isRoot = Number(env['_CONTAINERS_ROOTLESS_UID'] || process.geteuid?.()) === 0;
  const home = env['XDG_CACHE_HOME'] || join(homeOf(environment), '.cache');
  return join(isRoot ? cache : home, 'containers', 'short-name-aliases.conf');
}

/** Whether an error of the file system says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

interface Parsed<T> {
  readonly stamp: string;
  readonly value: T;
}

/**
 * A file of configuration, as a text. Never waits, for the writer of a fifo for one. Rejects with CRFS_USAGE for what is too
 * large, or has no end, and as the file system does.
 */
export async function readConfiguration(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const bytes = await buffer(file.createReadStream({ end: FILE_LIMIT }));
  if (bytes.length <= FILE_LIMIT) return bytes.toString('utf8');
  throw new CrfsError('CRFS_USAGE', `${path} has more than ${FILE_LIMIT} bytes: not a configuration file`);
}

/** Files of one format, each parsed when first asked for and again after it has changed. */
export class ConfigFiles<T> {
  readonly #parse: (text: string, path: string) => T;
  readonly #parsed = new Map<string, Parsed<T>>();

  constructor(parse: (text: string, path: string) => T) {
    this.#parse = parse;
  }

  /** The file's content, or undefined if there is no such file. Rejects with CRFS_USAGE if it cannot be read or parsed. */
  async get(path: string): Promise<T | undefined> {
    try {
      const { mtimeNs, size, ino } = await stat(path, { bigint: true });
      const stamp = `${mtimeNs} ${size} ${ino}`;
      const known = this.#parsed.get(path);
      if (known?.stamp === stamp) return known.value;
      const value = this.#parse(await readConfiguration(path), path);
      this.#parsed.set(path, { stamp, value });
      return value;
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (error instanceof CrfsError) throw error;
      throw new CrfsError('CRFS_USAGE', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }
}
