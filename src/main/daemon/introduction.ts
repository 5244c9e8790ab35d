// SPDX-License-Identifier: GPL-3.0-or-later

import { resolve } from 'node:path';
import { addon } from '../../native/addon.js';
import type { LazyName } from '../plain/lazy-names.js';
import { parseOption } from '../settings/options.js';

/** What a mount tells of itself: the text of HELLO, as csrc/shared/control.h has it. */
export interface Introduction {
  /** Where the host mounts; `?` if it does not say. */
  readonly mountpoint: string;
  /** By which driver it is mounted, and why not by the other one; undefined: the plugin was used by itself. */
  readonly driver: string | undefined;
  /** The mount namespace that it is in, `mnt:[…]`; undefined: that of the process. */
  readonly mountNamespace: string | undefined;
  /** What it was told to mount; undefined: the front end was used by itself. */
  readonly configuration: string | undefined;
  /** What becomes of its layers that have no TOC; undefined: the daemon's setting. */
  readonly lazy: LazyName | undefined;
  /** The mount's own environment, as far as the daemon goes by it. Paths are absolute. */
  readonly env: Readonly<Record<string, string>>;
}

const NAMES: ReadonlySet<string> = new Set(addon.layout.environment);
/** Those that hold a path, which may start from the mount's working directory. */
const PATHS: ReadonlySet<string> = new Set([
  'CONTAINERS_REGISTRIES_CONF',
  'CRFS_CERT_DIR',
  'CRFS_POLICY',
  'DOCKER_CONFIG',
  'REGISTRY_AUTH_FILE',
  'SSL_CERT_FILE',
]);

/** Takes it apart. What is no variable of ours is left out. Throws CRFS_USAGE for a setting that is none. */
export function parseIntroduction(text: string): Introduction {
  const [place = '', directory = '/', ...parts] = text.split('\0');
  const env: Record<string, string> = {};
  for (const part of parts) {
    const [, name = '', value = ''] = /^(\w+)=(.*)$/s.exec(part) ?? [];
    if (NAMES.has(name)) env[name] = PATHS.has(name) && value !== '' ? resolve(directory, value) : value;
  }
  const {
    CRFS_MOUNT_DRIVER: driver,
    CRFS_MOUNT_NAMESPACE: mountNamespace,
    CRFS_MOUNT_CONFIGURATION: configuration,
    CRFS_LAZY: lazy,
    ...rest
  } = env;
  return {
    mountpoint: place.startsWith('/') ? resolve(place) : '?',
    driver,
    mountNamespace,
    configuration,
    lazy: lazy === undefined ? undefined : parseOption('lazy', lazy, 'CRFS_LAZY'),
    env: rest,
  };
}
