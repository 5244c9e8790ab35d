// SPDX-License-Identifier: GPL-3.0-or-later

import { type Command, Option } from 'commander';
import type { Variables } from '../environment/environment.js';
import { lazyNames } from '../plain/lazy-names.js';
import { environmentFor, type RegistryGiven } from './registry-options.js';

/** What commands are given that mount, or have the daemon do what a mount does. */
export interface MountingGiven extends RegistryGiven {
  lazy?: string | undefined;
}

export function addLazyOption(command: Command): Command {
  const description = 'of a layer without a TOC: index: read all of it, once; require: refuse it';
  return command.addOption(new Option('--lazy <how>', `${description} (default: the setting lazy)`).choices(lazyNames));
}

/** `environmentFor`, of what serves the mount. */
export function mountingEnvironment({ lazy, ...given }: MountingGiven): Variables {
  return { ...environmentFor(given), ...(lazy !== undefined && { CRFS_LAZY: lazy }) };
}
