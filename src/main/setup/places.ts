// SPDX-License-Identifier: GPL-3.0-or-later

/** Where podman and systemd look for what sets up a store: of the machine for root, else of the user. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { configHomeOf, type Environment, homeOf } from '../environment/environment.js';

export interface Places {
  /** Whether it is the machine's: root's. */
  readonly isSystem: boolean;
  /** Where the store is served. */
  readonly store: string;
  /** The file of containers-storage.conf(5) that podman reads, or would if it were there. */
  readonly storageConf: string;
  /** What podman reads as long as `storageConf` is not there; undefined: nothing. */
  readonly inherited: string | undefined;
  /** A file of ours that podman reads besides, from version 6 on. */
  readonly dropIn: string;
  readonly unit: string;
  /** Where podman keeps images, unless it is told otherwise. */
  readonly graphRoot: string;
}

export const UNIT = 'crfs-store.service';

/** Those of root, or of whoever has the environment. */
export function placesOf(environment: Environment, isSystem: boolean): Places {
  const { env, etc } = environment;
  const config = isSystem ? etc : configHomeOf(environment);
  const data = isSystem ? '/var/lib' : env['XDG_DATA_HOME'] || join(homeOf(environment), '.local/share');
  const distribution = '/usr/share/containers/storage.conf';
  return {
    isSystem,
    store: join(data, 'crfs-plugin/store'),
    storageConf: env['CONTAINERS_STORAGE_CONF'] || join(config, 'containers/storage.conf'),
    inherited: isSystem && existsSync(distribution) ? distribution : undefined,
    dropIn: join(config, 'containers/storage.conf.d/50-crfs-plugin.conf'),
    unit: join(config, isSystem ? 'systemd/system' : 'systemd/user', UNIT),
    graphRoot: join(data, 'containers/storage'),
  };
}
