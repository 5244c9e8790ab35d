// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounting a store of layers, from which containers-storage takes them: docs/architecture.md, "A store for podman". */

import { linkOf } from '../daemon/processes.js';
import { CrfsError } from '../errors/error.js';
import { freeMountpoint } from './mount.js';
import type { MountRequest, Served } from './request.js';
import { runLower } from './run-lower.js';

export interface StoreRequest extends Pick<MountRequest, 'environment' | 'foreground' | 'signal' | 'passOn'> {
  readonly directory: string;
  /** How long a look-up may wait for a registry. */
  readonly patienceSeconds: number;
}

export interface MountedStore extends Served {
  /** Its real path. */
  readonly directory: string;
}

/** Mounts it, and waits until it is there. Throws CRFS_USAGE, CRFS_NOT_FOUND, CRFS_DENIED, CRFS_INTERNAL, and the signal's reason. */
export async function mountStore({ directory, patienceSeconds, ...how }: StoreRequest): Promise<MountedStore> {
  const mountpoint = freeMountpoint(directory);
  const environment = {
    ...how.environment,
    CRFS_MOUNT_DRIVER: 'store',
    CRFS_MOUNT_NAMESPACE: linkOf('self', 'ns/mnt'),
  };
  const args = ['--store', String(patienceSeconds), '--', mountpoint];
  const done = await runLower({ ...how, environment, args, mountpoint, as: 'store' });
  if ('why' in done) throw new CrfsError('CRFS_INTERNAL', done.why);
  return { ...done, directory: mountpoint };
}
