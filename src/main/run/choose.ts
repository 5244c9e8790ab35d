// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CrfsError } from '../errors/error.js';
import type { Engine } from './engine.js';
import { podman } from './podman.js';
import { runtime } from './runtime.js';

/** The first engine that is installed: podman, crun, runc. Throws CRFS_NOT_FOUND. */
export function chooseEngine(path = process.env['PATH'] ?? ''): Engine {
  const has = (program: string): boolean => path.split(':').some((directory) => existsSync(join(directory, program)));
  if (has('podman')) return podman;
  if (has('crun')) return runtime('crun');
  if (has('runc')) return runtime('runc');
  throw new CrfsError('CRFS_NOT_FOUND', 'neither podman nor crun nor runc is installed: install podman');
}
