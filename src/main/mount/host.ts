// SPDX-License-Identifier: GPL-3.0-or-later

/** fuse-overlayfs, the host of the plugin: is it there, does it serve plugins, and where is ours. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CrfsError } from '../errors/error.js';
import { findProgram } from './program.js';

export const HOST = 'fuse-overlayfs';

/** Resolves to its version. Throws CRFS_NOT_FOUND without fuse-overlayfs, and for a version that does not serve plugins. */
export async function checkHost(): Promise<string> {
  const version = await hostVersion();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major >= 2) {
    throw new CrfsError(
      'CRFS_NOT_FOUND',
      `${HOST} ${version} has no plugins: it would leave the layers out; install one from 0.7 to 1.x`,
    );
  }
  if (major === 0 && minor < 7) {
    throw new CrfsError('CRFS_NOT_FOUND', `${HOST} ${version} is too old for plugins; install one from 0.7 to 1.x`);
  }
  return version;
}

async function hostVersion(): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(HOST, ['--version']).catch((error: NodeJS.ErrnoException) => {
    const missing = error.code === 'ENOENT';
    const what = missing ? `${HOST} is not installed: install it, version 0.7 to 1.x` : `${HOST}: ${error.message}`;
    throw new CrfsError(missing ? 'CRFS_NOT_FOUND' : 'CRFS_INTERNAL', what, { cause: error });
  });
  const version = /fuse-overlayfs\D*(\d+\.\d+[\w.-]*)/i.exec(`${stdout}\n${stderr}`)?.[1];
  if (version === undefined) throw new CrfsError('CRFS_INTERNAL', `${HOST} --version tells no version`);
  return version;
}

/**
 * The plugin: in the checkout beside bin/, or in libexec of the prefix under whose lib/crfs-plugin this runs.
 * Throws CRFS_NOT_FOUND.
 */
export function findPlugin(): string {
  return findProgram('crfs-plugin.so', '../../libexec/fuse-overlayfs/crfs-plugin.so');
}
