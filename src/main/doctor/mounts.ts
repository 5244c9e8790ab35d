// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether mounts that there are show all that they should. */

import { mountsOfRemovedCache } from '../mount/hosts.js';
import { cacheDirectoryOf } from '../settings/directories.js';
import { bad, type Finding } from './check.js';

export function checkMounts(): Finding[] {
  return mountsOfRemovedCache(cacheDirectoryOf(process.env)).map(({ mountpoint }) =>
    bad('mount', `${mountpoint}: names are missing, since its cache was removed`, 'unmount it, and mount it again'),
  );
}
