// SPDX-License-Identifier: GPL-3.0-or-later

import { lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { geteuid } from 'node:process';
import envPaths from 'env-paths';
import { CrfsError } from '../errors/error.js';

const NAME = 'crfs-plugin';

/** `$XDG_CONFIG_HOME/crfs-plugin`: config.toml */
export function configDirectory(): string {
  return envPaths(NAME, { suffix: '' }).config;
}

/** `$XDG_CACHE_HOME/crfs-plugin`: what the daemon keeps of layers */
export function cacheDirectory(): string {
  return privateDirectory(envPaths(NAME, { suffix: '' }).cache);
}

/** `$XDG_STATE_HOME/crfs-plugin`: logs */
export function stateDirectory(): string {
  return privateDirectory(envPaths(NAME, { suffix: '' }).log);
}

/**
 * `$XDG_RUNTIME_DIR/crfs-plugin`: sockets; where there is no such directory, `/tmp/crfs-plugin-<uid>`. The uid is the
 * one outside of a user namespace, so that users who are all root in theirs do not meet. csrc/plugin looks there too.
 */
export function runtimeDirectory(): string {
  const base = process.env['XDG_RUNTIME_DIR'];
  if (base && isAbsolute(base) && statSync(base, { throwIfNoEntry: false })?.isDirectory()) {
    return privateDirectory(join(base, NAME));
  }
  return privateDirectory(`/tmp/${NAME}-${outerUid()}`);
}

/** The directory, made if missing. Throws CRFS_DENIED if it could be anybody else's. */
function privateDirectory(path: string): string {
  // only if it is missing: of a read-only file system, mkdir would say that it does not exist
  if (!lstatSync(path, { throwIfNoEntry: false })) mkdirSync(path, { recursive: true, mode: 0o700 });
  const { mode, uid } = lstatSync(path);
  if ((mode & 0o170000) !== 0o040000 || uid !== geteuid?.() || (mode & 0o077) !== 0) {
    const hint = 'it must be a directory of yours that nobody else can enter (mode 0700)';
    throw new CrfsError('CRFS_DENIED', `${path} cannot be used: ${hint}`);
  }
  return path;
}

/** The effective uid as the parent user namespace knows it. */
function outerUid(): number {
  const uid = geteuid?.() ?? 0;
  for (const line of readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n')) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    if (uid >= inside && uid < inside + count) return outside + uid - inside;
  }
  return uid;
}
