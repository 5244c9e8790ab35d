// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { home } from '../../native/home.js';
import { look } from '../daemon/processes.js';
import { CrfsError } from '../errors/error.js';

/** Programs, by their absolute paths: a unit has a PATH of its own. */
export interface Programs {
  readonly crfs: string;
  readonly podman: string;
}

/** Throws CRFS_NOT_FOUND without podman. */
export function programs(): Programs {
  return { crfs: crfsCommand(), podman: whereIs('podman') };
}

/** The command by which this was installed, rather than where that leads: an upgrade may move it. */
export function crfsCommand(): string {
  const own = fileURLToPath(new URL('bin/crfs', home));
  const linked = fileURLToPath(new URL('../../bin/crfs', home));
  return look(() => realpathSync(linked)) === own ? linked : own;
}

/** Throws CRFS_NOT_FOUND. */
export function whereIs(program: string): string {
  const found = (process.env['PATH'] ?? '')
    .split(':')
    .map((directory) => join(directory, program))
    .find((path) => path.startsWith('/') && existsSync(path));
  if (found === undefined) throw new CrfsError('CRFS_NOT_FOUND', `${program} is not installed`);
  return found;
}
