// SPDX-License-Identifier: GPL-3.0-or-later

import { lstatSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { geteuid } from 'node:process';
import { makeDirectories } from '../disk/make-directories.js';
import { homeOf } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';

const NAME = 'crfs-plugin';

/** `$XDG_CONFIG_HOME/crfs-plugin`: config.toml. Not made here. */
export function configDirectory(): string {
  return userDirectory('XDG_CONFIG_HOME', '.config');
}

/** `$XDG_STATE_HOME/crfs-plugin`: logs. Not made here. */
export function stateDirectory(): string {
  return userDirectory('XDG_STATE_HOME', '.local/state');
}

/**
 * `$XDG_CACHE_HOME/crfs-plugin`: what the daemon keeps of layers, and its lock and sockets: whoever uses a cache finds the daemon
 * that owns it, whatever else differs in the environments of a user's shells. csrc/client/runtime.c looks there too. Not made
 * here: who only looks finds nothing in it. Throws CRFS_DENIED where it could be anybody else's.
 */
export function cacheDirectory(): string {
  return checkPrivate(cacheDirectoryOf(process.env));
}

/** The same, made if missing. Throws CRFS_DENIED, also where it cannot be made, CRFS_NO_SPACE. */
export function makeCacheDirectory(): string {
  const path = cacheDirectoryOf(process.env);
  try {
    return privateDirectory(path);
  } catch (error) {
    if (error instanceof CrfsError) throw error;
    const why = `cannot make ${path}: ${reasonOf(error)}; set XDG_CACHE_HOME to a directory of yours`;
    throw new CrfsError(isNoSpace(error) ? 'CRFS_NO_SPACE' : 'CRFS_DENIED', why, { cause: error });
  }
}

/** The cache directory of a process of this user with such an environment. Not made here. */
export function cacheDirectoryOf(env: NodeJS.ProcessEnv): string {
  return userDirectory('XDG_CACHE_HOME', '.cache', env);
}

/** By the XDG Base Directory Specification: what is not an absolute path counts as not set. */
function userDirectory(variable: string, fallback: string, env: NodeJS.ProcessEnv = process.env): string {
  const base = env[variable];
  return join(base && isAbsolute(base) ? base : join(homeOf({ env }), fallback), NAME);
}

/** The directory, made if missing. Throws CRFS_DENIED if it could be anybody else's. */
export function privateDirectory(path: string): string {
  // only if it is missing: a symlink to nowhere is told by what follows
  if (!lstatSync(path, { throwIfNoEntry: false })) makeDirectories(path, 0o700);
  return checkPrivate(path);
}

/** A directory, if it is there. Throws CRFS_DENIED if it could be anybody else's. */
function checkPrivate(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found && (!found.isDirectory() || found.uid !== geteuid?.() || (found.mode & 0o077) !== 0)) {
    const hint = 'it must be a directory of yours, no symlink, that nobody else can enter (mode 0700)';
    throw new CrfsError('CRFS_DENIED', `${path} cannot be used: ${hint}`);
  }
  return path;
}
