// SPDX-License-Identifier: GPL-3.0-or-later

import { onPath } from '../environment/on-path.js';
import { CrfsError } from '../errors/error.js';
import type { Engine } from './engine.js';
import { podman } from './podman.js';
import { runtime } from './runtime.js';

/** The first engine that is installed: podman, crun, runc. Throws CRFS_NOT_FOUND. */
export function chooseEngine(path?: string): Engine {
  const has = (program: string): boolean => onPath(program, path) !== undefined;
  if (has('podman')) return podman;
  if (has('crun')) return runtime('crun');
  if (has('runc')) return runtime('runc');
  throw new CrfsError('CRFS_NOT_FOUND', 'neither podman nor crun nor runc is installed: install podman');
}
