// SPDX-License-Identifier: GPL-3.0-or-later

/** Credentials, as containers-auth.json(5) and docker's config.json keep them. */

import { basename, join } from 'node:path';
import * as v from 'valibot';
import type { Environment } from '../environment/environment.js';
import { ConfigFiles, configHomeOf, homeOf } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { check, parseJson, type Told } from '../schema/check.js';
import { anyTable, anyText, table } from '../schema/schemas.js';
import { CredentialHelpers } from './credential-helper.js';
import type { Credentials } from './credentials.js';

interface AuthFile {
  readonly path: string;
  /** By the key that the file has. */
  readonly auths: ReadonlyMap<string, Credentials>;
  readonly helpers: ReadonlyMap<string, string>;
  readonly store: string | undefined;
}

/** docker's first file of credentials: a table of them, and nothing else. */
const LEGACY = '.dockercfg';
/** Names that docker.io's credentials are kept under. */
const DOCKER_KEYS = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const DOCKER_HELPER_KEY = 'https://index.docker.io/v1/';

const anyEntries = v.pipe(
  v.nullish(anyTable, {}), // Go's encoder writes null for what is empty
  v.transform((given) => Object.entries(given)),
);
const fileSchema = v.pipe(
  v.nullish(anyTable, {}),
  table({ auths: anyEntries, credHelpers: anyEntries, credsStore: v.nullish(v.string('a string'), '') }),
);
/** Files of other programs: an entry that is not of the form that it should have is as if it were not there. */
const text = v.optional(anyText, '');
const entrySchema = v.fallback(v.object({ auth: text, identitytoken: text }), { auth: '', identitytoken: '' });

function credentialsOf(entry: unknown): Credentials | undefined {
  const { auth, identitytoken } = v.parse(entrySchema, entry);
  if (identitytoken !== '') return { kind: 'identity', token: identitytoken };
  const decoded = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = decoded.indexOf(':');
  return colon < 0
    ? undefined
    : { kind: 'basic', username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function parseAuthFile(json: string, path: string): AuthFile {
  const where = `${path} must be repaired, or written anew by logging in`;
  const told: Told = { where, code: 'CRFS_USAGE', isSecret: true };
  const top = parseJson(Buffer.from(json || '{}'), told);
  const isLegacy = basename(path) === LEGACY;
  const file = check(fileSchema, isLegacy ? {} : top, told);
  const entries = isLegacy ? check(anyEntries, top, told) : file.auths;
  const auths = entries.flatMap(([key, entry]): [string, Credentials][] => {
    const credentials = credentialsOf(entry);
    return credentials === undefined ? [] : [[key, credentials]];
  });
  const helpers = file.credHelpers.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { path, auths: new Map(auths), helpers: new Map(helpers), store: file.credsStore || undefined };
}

/** `host/a/b`, `host/a`, `host`: the keys that may hold the credentials of a repository, best first. */
function keysOf(registry: string, repository: string): string[] {
  const hosts = DOCKER_KEYS.includes(registry) ? DOCKER_KEYS : [registry];
  const parts = repository === '' ? [] : repository.split('/');
  return parts
    .map((_, index) => parts.slice(0, parts.length - index).join('/'))
    .flatMap((path) => hosts.map((host) => `${host}/${path}`))
    .concat(hosts);
}

/** The host of a key written as a URL (`https://host/v1/`), as docker wrote them. */
function hostOfUrl(key: string): string | undefined {
  return /^https?:\/\/([^/]+)/.exec(key)?.[1] ?? /^([^/]+)\/v[12]\/?$/.exec(key)?.[1];
}

/** What helpers call a registry. */
function serverOf(registry: string): string {
  return DOCKER_KEYS.includes(registry) ? DOCKER_HELPER_KEY : registry;
}

function firstOf<T>(keys: readonly string[], map: ReadonlyMap<string, T>): T | undefined {
  for (const key of keys) {
    const value = map.get(key);
    if (value !== undefined) return value;
  }
  for (const [key, value] of map) {
    const host = hostOfUrl(key);
    if (host !== undefined && keys.includes(host)) return value;
  }
  return undefined;
}

export class AuthFiles {
  readonly #environment: Environment;
  readonly #helpers: CredentialHelpers;
  readonly #files = new ConfigFiles(parseAuthFile);

  constructor(environment: Environment, helpers = new CredentialHelpers(environment)) {
    this.#environment = environment;
    this.#helpers = helpers;
  }

  /** Has helpers be run anew for a registry. */
  forget(registry: string): void {
    for (const server of new Set([registry, serverOf(registry)])) this.#helpers.forget(server);
  }

  /**
   * The credentials for a repository, read anew where a file has changed, or undefined if there are none. Rejects with CRFS_USAGE
   * if a file cannot be read, CRFS_DENIED if a credential helper fails and no other file knows better.
   */
  async find(registry: string, repository: string): Promise<Credentials | undefined> {
    let failure: CrfsError | undefined;
    for (const path of this.#paths()) {
      const file = await this.#files.get(path);
      try {
        const found = file && (await this.#findIn(file, registry, repository));
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof CrfsError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  async #findIn(file: AuthFile, registry: string, repository: string): Promise<Credentials | undefined> {
    const keys = keysOf(registry, repository);
    const helper = firstOf(keys, file.helpers);
    const server = serverOf(registry);
    if (helper !== undefined)
      return await this.#helpers.ask(helper, helper === file.helpers.get(registry) ? registry : server);
    const kept = firstOf(keys, file.auths);
    if (kept !== undefined || file.store === undefined) return kept;
    return await this.#helpers.ask(file.store, server);
  }

  #paths(): string[] {
    const { env } = this.#environment;
    const runtime = env['XDG_RUNTIME_DIR'] || `/run/containers/${process.getuid?.() ?? 0}`;
    const first =
      env['REGISTRY_AUTH_FILE'] || join(runtime, env['XDG_RUNTIME_DIR'] ? 'containers/auth.json' : 'auth.json');
    const docker = env['DOCKER_CONFIG'] || join(homeOf(this.#environment), '.docker');
    const home = homeOf(this.#environment);
    const containers = join(configHomeOf(this.#environment), 'containers/auth.json');
    return [first, containers, join(docker, 'config.json'), join(home, LEGACY)];
  }
}
